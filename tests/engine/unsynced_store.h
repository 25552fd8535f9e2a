// SPDX-License-Identifier: Apache-2.0
// A store in memory that outlives its process, and loses with the power some of the batches that
// were written last and not synced.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "engine/store/store.h"

namespace kvorum::engine::testing {

struct StoreMedium {
  using Before = std::vector<std::pair<std::string, std::optional<std::string>>>;

  void lose_power(Rng& rng) {
    for (size_t lost = rng.below(unsynced.size() + 1); lost > 0; --lost) {
      for (auto& [key, value] : unsynced.back()) {
        value ? void(values[key] = *value) : void(values.erase(key));
      }
      unsynced.pop_back();
    }
    unsynced.clear();
  }

  std::map<std::string, std::string, std::less<>> values;
  std::deque<Before> unsynced;
  int fail_writes = 0;
  bool damaged = false;  // nothing can be read, until a salvage that finds nothing
  uint64_t writes = 0;   // changes
};

class UnsyncedStore final : public Store {
 public:
  explicit UnsyncedStore(StoreMedium* medium) : medium_(medium) {}

  Status write(const StoreBatch& batch, bool sync) override {
    if (medium_->fail_writes > 0) {
      --medium_->fail_writes;
      return {Code::kIoError, "the store is broken"};
    }
    StoreMedium::Before before;
    std::string whole;
    for (size_t at = 0; at < batch.size(); ++at) {
      const StoreBatch::Change change = batch[at];
      const auto known = medium_->values.find(change.key);
      std::optional<std::string> old;
      if (known != medium_->values.end()) old = known->second;
      before.emplace(before.begin(), std::string(change.key), std::move(old));
      ++medium_->writes;
      if (change.erase) {
        medium_->values.erase(std::string(change.key));
      } else {
        medium_->values[std::string(change.key)] = change.whole_value(whole);
      }
    }
    medium_->unsynced.push_back(std::move(before));
    if (sync) medium_->unsynced.clear();
    return {};
  }
  Status sync() override {
    medium_->unsynced.clear();
    return {};
  }
  Status read(std::string_view key, std::string* value) const override {
    if (medium_->damaged) return {Code::kCorruption, "the store is damaged"};
    const auto found = medium_->values.find(key);
    if (found == medium_->values.end()) return {Code::kNotFound, "not found"};
    *value = found->second;
    return {};
  }
  Status scan(std::string_view begin, std::string_view end,
              FunctionRef<bool(std::string_view, std::string_view)> fn) const override {
    for (auto at = medium_->values.lower_bound(begin); at != medium_->values.end(); ++at) {
      if (!end.empty() && at->first >= end) break;
      if (!fn(at->first, at->second)) break;
    }
    return {};
  }
  Status reopen() override { return {}; }
  Result<std::string> salvage(const Status& damage) override {
    medium_->values.clear();
    medium_->unsynced.clear();
    medium_->damaged = false;
    return damage.message() + " and was salvaged";
  }

 private:
  StoreMedium* const medium_;
};

}  // namespace kvorum::engine::testing
