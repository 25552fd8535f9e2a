// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/workloads.h"

namespace kvorum::sim {

bool CounterWorkload::may_demand_all() const {
  const cluster::KeyspacePolicy& policy = cluster_.swarm.keyspaces[db_];
  const cluster::EffectiveQuorum q = quorum();
  if (is_strict()) return true;
  return !policy.sloppy && 2 * q.w > q.n && q.r + q.w > q.n && !cluster_.damage.lost_objects() &&
         policy.reads_when_short == cluster::ReadsWhenShort::kFail;
}

void CounterWorkload::step(size_t index) {
  const std::string key = fmt::format("{}:{}", name_, index);
  ++counters_[key].attempts;
  std::vector<std::string> words{"INCR", key};
  if (index % 3 == 2) words = {"EVAL", "return redis.call('INCR', KEYS[1])", "1", key};
  client(index).call(words, [this, index, key](const RespReply* reply) {
    Counter& counter = counters_[key];
    const Fate fate = fate_of(reply);
    if (fate == Fate::kNever) --counter.attempts;
    if (fate == Fate::kStored) {
      ++counter.acknowledged;
      if (reply->number <= counter.last_answer) counter.step_back = reply->number;
      counter.last_answer = std::max(counter.last_answer, reply->number);
    }
    next(index);
  });
}

std::vector<KeyName> CounterWorkload::keys() const {
  std::vector<KeyName> names;
  for (const auto& [key, counter] : counters_) names.push_back({db_, key});
  return names;
}

void CounterWorkload::check(const FinalState& state) {
  for (const auto& [key, counter] : counters_) {
    int64_t value = 0;
    for (const std::string& text : state.at({db_, key})) {
      value = std::max<int64_t>(value, std::stoll(text));
    }
    if (value > counter.attempts) {
      violation(fmt::format("{} is {} after {} attempts", key, value, counter.attempts));
    }
    if (!may_demand_all()) continue;
    if (value < counter.acknowledged) {
      violation(fmt::format("{} is {}, {} were acknowledged", key, value, counter.acknowledged));
    }
    if (counter.step_back != 0) {
      violation(fmt::format("{} answered {} again", key, counter.step_back));
    }
  }
}

}  // namespace kvorum::sim
