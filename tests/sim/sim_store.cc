// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/sim_store.h"

#include <algorithm>
#include <iterator>

namespace kvorum::sim {
namespace {

constexpr double kSectorLost = 0.5;
constexpr size_t kBytesDamaged = 16;

Status broken() { return {Code::kIoError, "the simulated disk is broken"}; }
Status no_space() { return {Code::kNoSpace, "the simulated disk is full"}; }

}  // namespace

void SimDisk::write(const engine::StoreBatch& batch) {
  Before before;
  for (size_t at = 0; at < batch.size(); ++at) {
    const engine::StoreBatch::Change change = batch[at];
    const std::string key(change.key);
    const auto found = values_.find(key);
    before.emplace_back(key, found == values_.end() ? std::nullopt : std::optional(found->second));
    damaged_.erase(key);
    if (found != values_.end()) earlier_[key] = found->second;
    if (change.erase) {
      values_.erase(key);
    } else {
      std::string whole;
      values_[key] = change.whole_value(whole);
    }
  }
  unsynced_.push_back(std::move(before));
}

size_t SimDisk::lose_power() {
  const size_t lost = lose_memory();
  const bool all = !keeps_some_ || rng_.chance(0.5);
  journal_.lose_power(rng_, all ? 1 : kSectorLost);
  return lost;
}

size_t SimDisk::lose_memory() {
  const size_t kept = keeps_some_ ? rng_.below(unsynced_.size() + 1) : 0;
  const size_t lost = unsynced_.size() - kept;
  while (unsynced_.size() > kept) {
    Before& before = unsynced_.back();
    for (auto change = before.rbegin(); change != before.rend(); ++change) {
      if (change->second) {
        values_[change->first] = *change->second;
      } else {
        values_.erase(change->first);
      }
    }
    unsynced_.pop_back();
  }
  unsynced_.clear();
  return lost;
}

void SimDisk::restore(const Copy& copy) {
  values_ = copy.values;
  journal_ = copy.journal;
  journal_damaged_ = false;
  earlier_.clear();
  damaged_.clear();
  unsynced_.clear();
}

size_t SimDisk::damage_objects(double chance) {
  for (const auto& [key, value] : values_) {
    if (key[0] != engine::kFactPrefix && rng_.chance(chance)) damaged_.insert(key);
  }
  was_damaged_ |= !damaged_.empty();
  return damaged_.size();
}

bool SimDisk::damage_journal() {
  if (journal_.slots.empty()) return false;
  const auto slot =
      std::next(journal_.slots.begin(), static_cast<ptrdiff_t>(rng_.below(journal_.slots.size())));
  std::string& bytes = slot->second.bytes;
  const size_t at = rng_.below(bytes.size());
  for (size_t next = at; next < std::min(bytes.size(), at + kBytesDamaged); ++next) {
    bytes[next] = static_cast<char>(~bytes[next]);
  }
  return was_damaged_ = journal_damaged_ = true;
}

void SimDisk::salvage() {
  for (const std::string& key : damaged_) {
    const auto earlier = earlier_.find(key);
    if (earlier != earlier_.end() && rng_.chance(0.5)) {
      values_[key] = earlier->second;
    } else {
      values_.erase(key);
    }
  }
  damaged_.clear();
  unsynced_.clear();  // what undoes them is of before
}

void SimDisk::wipe() {
  values_.clear();
  journal_ = {};
  journal_damaged_ = false;
  earlier_.clear();
  damaged_.clear();
  unsynced_.clear();
}

// A write that fails may have reached the log all the same: then it is found after the reopening.
Status SimStore::write(const engine::StoreBatch& batch, bool sync) {
  if (failed_) return broken();
  if (disk_->full()) {
    failed_ = true;
    return no_space();
  }
  if (disk_->fails_now()) {
    failed_ = true;
    if (disk_->rng().chance(0.5)) disk_->write(batch);
    return broken();
  }
  disk_->write(batch);
  if (sync) disk_->sync();
  return {};
}

Status SimStore::sync() {
  if (failed_ || disk_->fails_now()) {
    failed_ = true;
    return broken();
  }
  disk_->sync();
  return {};
}

Status SimStore::read(std::string_view key, std::string* value) const {
  if (disk_->fails_now()) return broken();
  if (disk_->damaged(key)) return {Code::kCorruption, "the simulated object is damaged"};
  const auto found = disk_->values().find(key);
  if (found == disk_->values().end()) return {Code::kNotFound, "not found"};
  *value = found->second;
  return {};
}

Status SimStore::scan(std::string_view begin, std::string_view end,
                      FunctionRef<bool(std::string_view, std::string_view)> fn) const {
  if (disk_->broken()) return broken();
  bool damaged = false;
  for (auto at = disk_->values().lower_bound(begin); at != disk_->values().end(); ++at) {
    if (!end.empty() && at->first >= end) break;
    damaged |= disk_->damaged(at->first);
    if (!disk_->damaged(at->first) && !fn(at->first, at->second)) break;
  }
  if (damaged) return {Code::kCorruption, "simulated objects are damaged"};
  return {};
}

Status SimStore::reopen() {
  if (disk_->broken()) return broken();
  if (!logged_) disk_->lose_memory();
  failed_ = false;
  return {};
}

Result<std::string> SimStore::salvage(const Status&) {
  if (disk_->broken()) return broken();
  if (!logged_) disk_->lose_memory();
  disk_->salvage();
  failed_ = false;
  return std::string("salvaged");
}

}  // namespace kvorum::sim
