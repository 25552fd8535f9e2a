// SPDX-License-Identifier: Apache-2.0
// Blind writes: of keys of their own, and over and over of the same few keys.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/workloads.h"

namespace kvorum::sim {

void UniqueWorkload::step(size_t index) {
  const size_t number = writes_.size();
  const std::string key = fmt::format("{}:{}", name_, number);
  writes_.push_back({key, fmt::format("value-{}", number), now_us(), Fate::kMaybe, {}});
  client(index).call({"SET", key, writes_.back().value},
                     [this, index, number](const RespReply* reply) {
                       writes_[number].fate = fate_of(reply);
                       if (writes_[number].fate != Fate::kStored) return next(index);
                       ask_copies(index, [this, index, number](const Copies& copies) {
                         writes_[number].copies = copies;
                         next(index);
                       });
                     });
}

std::vector<KeyName> UniqueWorkload::keys() const {
  std::vector<KeyName> names;
  for (const Write& write : writes_) names.push_back({db_, write.key});
  return names;
}

void UniqueWorkload::check(const FinalState& state) {
  for (const Write& write : writes_) {
    const std::vector<std::string>& values = state.at({db_, write.key});
    const bool lost = values.empty() && !may_be_evicted() && write.fate == Fate::kStored &&
                      cluster_.damage.must_survive(write.copies, write.began_us);
    if (lost) {
      violation(fmt::format("acknowledged key {} is lost ({} primaries, {} fallbacks)", write.key,
                            write.copies.primaries, write.copies.fallbacks));
    }
    if (!values.empty() && write.fate == Fate::kNever) {
      violation(fmt::format("refused key {} is there", write.key));
    }
    if (values.size() > 1 || (values.size() == 1 && values[0] != write.value)) {
      violation(fmt::format("key {} reads [{}], written was {}", write.key, join_words(values, ' '),
                            write.value));
    }
  }
}

void OverwriteWorkload::step(size_t index) {
  Rng& rng = client(index).rng();
  const uint64_t keys_each = std::max<uint64_t>(1, cluster_.swarm.keys_per_workload / 2);
  const std::string key = fmt::format("{}:{}:{}", name_, index, rng.below(keys_each));
  rng.chance(0.6) ? write(index, key) : read(index, key);
}

// What is last written, or what may have been since, or where keys are evicted nothing, or what
// came after it: full memory may leave a write half done.
bool OverwriteWorkload::is_last(const History& history,
                                const std::vector<std::string>& values) const {
  if (values.empty()) return history.last.empty() || may_be_evicted();
  if (values.size() > 1) return false;
  if (values[0] == history.last || history.unsure.contains(values[0])) return true;
  return may_be_evicted() &&
         (history.last.empty() || std::stoull(values[0]) > std::stoull(history.last));
}

void OverwriteWorkload::write(size_t index, const std::string& key) {
  const std::string value = fmt::format("{}", next_value_++);
  const uint64_t began_us = now_us();
  client(index).call({"SET", key, value}, [=, this](const RespReply* reply) {
    History& history = histories_[key];
    const Fate fate = fate_of(reply);
    if (fate != Fate::kNever) history.possible.insert(value);
    if (fate == Fate::kMaybe) history.unsure.insert(value);
    if (fate != Fate::kStored) return next(index);
    history.last = value;
    history.unsure.clear();
    ask_copies(index, [=, this](const Copies& copies) {
      histories_[key].acknowledged.push_back({copies, began_us});
      next(index);
    });
  });
}

void OverwriteWorkload::read(size_t index, const std::string& key) {
  client(index).call({"KV.GET", key}, [this, index, key](const RespReply* reply) {
    const History& history = histories_[key];
    if (reply && reply->items.size() == 2) {
      std::vector<std::string> values;
      for (const RespReply& item : reply->items[1].items) values.push_back(item.text);
      for (const std::string& value : values) {
        if (!history.possible.contains(value)) {
          violation(fmt::format("read of {} gave {}, never written or refused", key, value));
        }
      }
      if (is_strict() && !is_last(history, values)) {
        violation(fmt::format("read of {} gave [{}], last written was {}", key,
                              join_words(values, ' '), history.last));
      }
    } else {
      (void)fate_of(reply);
    }
    next(index);
  });
}

std::vector<KeyName> OverwriteWorkload::keys() const {
  std::vector<KeyName> names;
  for (const auto& [key, history] : histories_) names.push_back({db_, key});
  return names;
}

void OverwriteWorkload::check(const FinalState& state) {
  for (const auto& [key, history] : histories_) {
    const std::vector<std::string>& values = state.at({db_, key});
    for (const std::string& value : values) {
      if (history.possible.contains(value)) continue;
      violation(fmt::format("{} is {}, which was never written, or refused", key, value));
    }
    const bool must_exist = std::any_of(
        history.acknowledged.begin(), history.acknowledged.end(),
        [&](const auto& write) { return cluster_.damage.must_survive(write.first, write.second); });
    if (values.empty() && may_be_evicted()) continue;
    if (must_exist && values.empty()) violation(key + " was acknowledged and is gone");
    if (is_strict() && !is_last(history, values)) {
      violation(fmt::format("{} is [{}], last written was {}", key, join_words(values, ' '),
                            history.last));
    }
  }
}

}  // namespace kvorum::sim
