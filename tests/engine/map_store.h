// SPDX-License-Identifier: Apache-2.0
// A Store in memory whose writes can be made to fail and whose values can be damaged, for tests
// that need no disk. Any thread.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "engine/store/store.h"

namespace kvorum::engine::testing {

class MapStore : public Store {
 public:
  Status write(const StoreBatch& batch, bool sync) override {
    if (on_write) on_write();
    const std::lock_guard guard(mutex_);
    if (broken_) return {Code::kIoError, "the store is broken"};
    for (size_t at = 0; at < batch.size(); ++at) {
      const StoreBatch::Change change = batch[at];
      if (change.erase) {
        values_.erase(std::string(change.key));
      } else {
        std::string whole;
        values_[std::string(change.key)] = change.whole_value(whole);
      }
    }
    ++writes_;
    synced_writes_ += sync ? 1 : 0;
    return {};
  }
  Status sync() override {
    if (on_sync) on_sync();
    const std::lock_guard guard(mutex_);
    ++syncs_;
    if (!sync_fails_) return {};
    sync_fails_ = false;
    return {Code::kIoError, "the sync failed"};
  }
  Status read(std::string_view key, std::string* value) const override {
    Status status;
    {
      const std::lock_guard guard(mutex_);
      ++reads_;
      const auto it = values_.find(std::string(key));
      if (reads_fail_) {
        status = {Code::kIoError, "the disk cannot be read"};
      } else if (damaged_.contains(key)) {
        status = {Code::kCorruption, "damaged"};
      } else if (it == values_.end()) {
        status = {Code::kNotFound, "not found"};
      } else {
        *value = it->second;
      }
    }
    if (on_read_done) on_read_done();
    return status;
  }
  Status scan(std::string_view begin, std::string_view end,
              FunctionRef<bool(std::string_view, std::string_view)> fn) const override {
    const std::lock_guard guard(mutex_);
    for (auto it = values_.lower_bound(std::string(begin)); it != values_.end(); ++it) {
      if (!end.empty() && it->first >= end) break;
      if (!damaged_.contains(it->first) && !fn(it->first, it->second)) break;
    }
    if (damaged_.empty()) return {};
    return {Code::kCorruption, "something is damaged"};
  }
  Status reopen() override {
    const std::lock_guard guard(mutex_);
    if (!damaged_.empty()) return {Code::kCorruption, "something is damaged"};
    if (failing_reopens_ == 0) return {};
    --failing_reopens_;
    return {Code::kIoError, "the store stays closed"};
  }

  Result<std::string> salvage(const Status&) override {
    if (on_salvage) on_salvage();
    const std::lock_guard guard(mutex_);
    for (const std::string& key : damaged_) values_.erase(key);
    damaged_.clear();
    ++salvages_;
    return std::string("salvaged");
  }

  void damage(const std::string& key) {
    const std::lock_guard guard(mutex_);
    damaged_.insert(key);
  }
  // As a salvage may leave it: as it was some time ago, or not at all.
  void set(const std::string& key, const std::string& value) {
    const std::lock_guard guard(mutex_);
    values_[key] = value;
  }
  void lose(const std::string& key) {
    const std::lock_guard guard(mutex_);
    values_.erase(key);
  }
  int salvages() const {
    const std::lock_guard guard(mutex_);
    return salvages_;
  }
  void set_broken(bool broken) {
    const std::lock_guard guard(mutex_);
    broken_ = broken;
  }
  void fail_reads(bool on) {
    const std::lock_guard guard(mutex_);
    reads_fail_ = on;
  }
  void fail_reopens(int count) {
    const std::lock_guard guard(mutex_);
    failing_reopens_ = count;
  }
  void fail_next_sync() {
    const std::lock_guard guard(mutex_);
    sync_fails_ = true;
  }
  std::map<std::string, std::string> values() const {
    const std::lock_guard guard(mutex_);
    return values_;
  }
  uint64_t reads() const {
    const std::lock_guard guard(mutex_);
    return reads_;
  }
  uint64_t synced_writes() const {
    const std::lock_guard guard(mutex_);
    return synced_writes_;
  }
  uint64_t syncs() const {
    const std::lock_guard guard(mutex_);
    return syncs_;
  }
  uint64_t writes() const {
    const std::lock_guard guard(mutex_);
    return writes_;
  }

  // Called before a write and after a read took place, with no lock held: the moments for a race.
  std::function<void()> on_write;
  std::function<void()> on_sync;
  std::function<void()> on_salvage;
  std::function<void()> on_read_done;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> values_;
  std::set<std::string, std::less<>> damaged_;
  int salvages_ = 0;
  mutable uint64_t reads_ = 0;
  uint64_t writes_ = 0;
  uint64_t synced_writes_ = 0;
  uint64_t syncs_ = 0;
  int failing_reopens_ = 0;
  bool sync_fails_ = false;
  bool reads_fail_ = false;
  bool broken_ = false;
};

}  // namespace kvorum::engine::testing
