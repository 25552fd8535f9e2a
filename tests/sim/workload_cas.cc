// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/workloads.h"

namespace kvorum::sim {

Client::Habits CasWorkload::habits(size_t) const {
  Client::Habits habits{db_, cluster_.swarm.sticky, {}};
  habits.memcached = true;
  return habits;
}

void CasWorkload::step(size_t index) {
  const std::string key =
      fmt::format("{}:{}", name_, client(index).rng().below(cluster_.swarm.keys_per_workload));
  client(index).call({"gets " + key + "\r\n"}, [this, index, key](const RespReply* reply) {
    if (!reply || reply->is_error()) return next(index);
    if (reply->items.empty()) return begin(index, key);
    int64_t highest = 0;
    if (cluster_.swarm.peaceful && reply->items.size() > 1) {
      violation(fmt::format("gets of {} gave {} values", key, reply->items.size()));
    }
    for (const RespReply& item : reply->items) {
      highest = std::max<int64_t>(highest, std::stoll(item.text));
    }
    if (highest > counts_[key].attempts) {
      violation(fmt::format("{} reads {} after {} attempts", key, highest, counts_[key].attempts));
    }
    swap(index, key, {highest + 1, reply->number});
  });
}

void CasWorkload::begin(size_t index, const std::string& key) {
  ++counts_[key].attempts;
  client(index).call({"add " + key + " 0 0 1\r\n1\r\n"},
                     [this, index, key](const RespReply* reply) {
                       note(key, reply);
                       next(index);
                     });
}

void CasWorkload::swap(size_t index, const std::string& key, const Swap& wanted) {
  ++counts_[key].attempts;
  const std::string value = std::to_string(wanted.value);
  client(index).call({fmt::format("cas {} 0 0 {} {}\r\n{}\r\n", key, value.size(),
                                  static_cast<uint64_t>(wanted.unique), value)},
                     [this, index, key](const RespReply* reply) {
                       note(key, reply);
                       next(index);
                     });
}

// STORED counts; EXISTS, NOT_STORED and NOT_FOUND certainly do not.
void CasWorkload::note(const std::string& key, const RespReply* reply) {
  Count& count = counts_[key];
  if (!reply || reply->is_error()) return;
  if (reply->text == "STORED") {
    ++count.stored;
  } else if (reply->text == "EXISTS" || reply->text == "NOT_STORED" || reply->text == "NOT_FOUND") {
    // A request that the network doubled may have been run and refused.
    if (cluster_.swarm.network.duplication == 0) --count.attempts;
  } else {
    violation(fmt::format("{}: unexpected answer {}", key, reply->text));
  }
}

std::vector<KeyName> CasWorkload::keys() const {
  std::vector<KeyName> names;
  for (const auto& [key, count] : counts_) names.push_back({db_, key});
  return names;
}

void CasWorkload::check(const FinalState& state) {
  for (const auto& [key, count] : counts_) {
    int64_t value = 0;
    for (const std::string& text : state.at({db_, key})) {
      value = std::max<int64_t>(value, std::stoll(text));
    }
    if (value > count.attempts) {
      violation(fmt::format("{} is {} after {} attempts", key, value, count.attempts));
    }
    if (cluster_.swarm.peaceful && value < count.stored) {
      violation(fmt::format("{} is {}, {} swaps were answered STORED", key, value, count.stored));
    }
    if (is_strict() && value != count.stored) {
      violation(fmt::format("{} is {}, {} swaps were answered STORED", key, value, count.stored));
    }
  }
}

}  // namespace kvorum::sim
