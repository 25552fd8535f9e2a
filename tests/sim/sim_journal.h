// SPDX-License-Identifier: Apache-2.0
// The journal's slots on a node's simulated disk: they fail where the disk does, and where it is
// full no slot can be made.
#pragma once

#include "tests/engine/memory_journal_disk.h"
#include "tests/sim/sim_store.h"

namespace kvorum::sim {

class SimJournalDisk final : public engine::JournalDisk {
 public:
  explicit SimJournalDisk(SimDisk* disk) : disk_(disk), slots_(&disk->journal()) {}

  Result<std::vector<uint32_t>> slots() override;
  Status create(uint32_t slot, uint64_t bytes) override;
  Status remove(uint32_t slot) override;
  // One that fails may have written half of it, or all.
  Status write(uint32_t slot, uint64_t at, std::span<const std::string_view> parts) override;
  Status sync(uint32_t slot) override;
  Result<std::string_view> read(uint32_t slot, uint64_t bytes_max) override;
  void done_reading() override {}
  Result<std::string> set_aside() override { return slots_.set_aside(); }

 private:
  SimDisk* const disk_;
  engine::testing::MemoryJournalDisk slots_;
};

}  // namespace kvorum::sim
