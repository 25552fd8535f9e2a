// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_journal.h"

namespace kvorum::sim {
namespace {

Status broken() { return {Code::kIoError, "the simulated disk is broken"}; }

}  // namespace

Result<std::vector<uint32_t>> SimJournalDisk::slots() {
  if (disk_->fails_now()) return broken();
  return slots_.slots();
}

Status SimJournalDisk::create(uint32_t slot, uint64_t bytes) {
  if (disk_->fails_now()) return broken();
  if (disk_->full()) return {Code::kNoSpace, "the simulated disk is full"};
  return slots_.create(slot, bytes);
}

Status SimJournalDisk::remove(uint32_t slot) {
  return disk_->fails_now() ? broken() : slots_.remove(slot);
}

Status SimJournalDisk::write(uint32_t slot, uint64_t at, std::span<const std::string_view> parts) {
  if (disk_->fails_now()) {
    switch (disk_->rng().below(3)) {
      case 0:
        return broken();
      case 1:
        static_cast<void>(slots_.write(slot, at, parts));
        return broken();
      default:
        disk_->journal().fail_writes = 1;
    }
  }
  return slots_.write(slot, at, parts);
}

Status SimJournalDisk::sync(uint32_t slot) {
  return disk_->fails_now() ? broken() : slots_.sync(slot);
}

Result<std::string_view> SimJournalDisk::read(uint32_t slot, uint64_t bytes_max) {
  if (disk_->fails_now()) return broken();
  return slots_.read(slot, bytes_max);
}

}  // namespace kvorum::sim
