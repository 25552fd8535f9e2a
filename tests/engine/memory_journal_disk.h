// SPDX-License-Identifier: Apache-2.0
// The slots of a journal on a disk in memory that outlives its process, and loses with the power
// any of the sectors that were written and not synced, each for itself.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/rng.h"
#include "engine/journal/journal_disk.h"

namespace kvorum::engine::testing {

class JournalMedium {
 public:
  static constexpr uint64_t kSector = 512;

  struct Slot {
    std::string bytes;
    std::map<uint64_t, std::string> before;  // by sector: as it is on the disk for certain
  };

  void lose_power(Rng& rng, double chance) {
    for (auto& [number, slot] : slots) {
      for (const auto& [sector, bytes] : slot.before) {
        if (rng.chance(chance)) slot.bytes.replace(sector * kSector, bytes.size(), bytes);
      }
      slot.before.clear();
    }
  }
  void overwrite(Slot& slot, uint64_t at, std::string_view bytes) {
    for (uint64_t sector = at / kSector; sector * kSector < at + bytes.size(); ++sector) {
      slot.before.try_emplace(sector, slot.bytes.substr(sector * kSector, kSector));
    }
    slot.bytes.replace(at, bytes.size(), bytes);
  }

  std::map<uint32_t, Slot> slots;
  int fail_writes = 0;         // so many of the next ones write only a half
  int doubt_writes = 0;        // so many of the next ones write all of it and say that they failed
  int fail_syncs = 0;          // so many of the next ones do nothing
  int fail_creates = 0;        // so many of the next ones find the disk full
  int creates_left = 1 << 30;  // and all after so many
  int set_aside = 0;
};

class MemoryJournalDisk final : public JournalDisk {
 public:
  explicit MemoryJournalDisk(JournalMedium* medium) : medium_(medium) {}

  Result<std::vector<uint32_t>> slots() override {
    std::vector<uint32_t> numbers;
    for (const auto& [number, slot] : medium_->slots) numbers.push_back(number);
    return numbers;
  }
  Status create(uint32_t slot, uint64_t bytes) override {
    if (medium_->fail_creates > 0 || medium_->creates_left == 0) {
      medium_->fail_creates -= medium_->fail_creates > 0;
      return {Code::kNoSpace, "the disk is full"};
    }
    --medium_->creates_left;
    medium_->slots[slot].bytes.assign(bytes, '\0');
    return {};
  }
  Status remove(uint32_t slot) override {
    medium_->slots.erase(slot);
    return {};
  }
  Status write(uint32_t slot, uint64_t at, std::span<const std::string_view> parts) override {
    std::string whole;
    for (const std::string_view part : parts) whole.append(part);
    const bool fails = medium_->fail_writes > 0, doubts = medium_->doubt_writes > 0;
    if (fails) --medium_->fail_writes;
    if (doubts) --medium_->doubt_writes;
    if (fails) whole.resize(whole.size() / 2);
    medium_->overwrite(medium_->slots.at(slot), at, whole);
    return fails || doubts ? Status(Code::kIoError, "the journal cannot be written") : Status();
  }
  Status sync(uint32_t slot) override {
    if (medium_->fail_syncs > 0) {
      --medium_->fail_syncs;
      return {Code::kIoError, "the journal cannot be synced"};
    }
    medium_->slots.at(slot).before.clear();
    return {};
  }
  Result<std::string_view> read(uint32_t slot, uint64_t bytes_max) override {
    return std::string_view(medium_->slots.at(slot).bytes).substr(0, bytes_max);
  }
  void done_reading() override {}
  Result<std::string> set_aside() override {
    ++medium_->set_aside;
    return std::string("aside");
  }

 private:
  JournalMedium* const medium_;
};

}  // namespace kvorum::engine::testing
