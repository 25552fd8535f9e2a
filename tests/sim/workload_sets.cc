// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/workloads.h"

namespace kvorum::sim {
namespace {

constexpr uint64_t kElementsMax = 40;
constexpr double kBlindChance = 0.25;
constexpr double kOwnQuorumChance = 0.2;

std::vector<std::string> elements_of(const std::string& value) {
  std::vector<std::string> elements;
  size_t begin = 0;
  while (begin < value.size()) {
    const size_t end = std::min(value.find(',', begin), value.size());
    elements.push_back(value.substr(begin, end - begin));
    begin = end + 1;
  }
  return elements;
}

}  // namespace

// A set does not grow for ever: after a while its key gives way to another.
void SetWorkload::step(size_t index) {
  const uint64_t slots = cluster_.swarm.keys_per_workload;
  const std::string key = fmt::format("{}:{}:{}", name_, client(index).rng().below(slots),
                                      additions_.size() / (kElementsMax * slots));
  if (client(index).rng().chance(kBlindChance)) return add(index, key, nullptr);
  const uint64_t began_us = now_us();
  client(index).call({"KV.GET", key}, [this, index, key, began_us](const RespReply* reply) {
    if (!reply || reply->items.size() != 2) {
      (void)fate_of(reply);
      return next(index);
    }
    check_read(index, key, began_us, *reply);
    add(index, key, reply);
  });
}

void SetWorkload::add(size_t index, const std::string& key, const RespReply* read) {
  Rng& rng = client(index).rng();
  const size_t number = additions_.size();
  Addition& addition = additions_.emplace_back();
  addition.key = key;
  addition.element = std::to_string(number);
  addition.began_us = now_us();
  std::set<std::string> members{addition.element};
  if (read) {
    for (const RespReply& value : read->items[1].items) {
      addition.known.push_back(value.text);
      for (std::string& element : elements_of(value.text)) members.insert(std::move(element));
    }
  }
  addition.value = join_words({members.begin(), members.end()}, ',');
  histories_[key].wrote(addition.value, addition.known);
  std::vector<std::string> words{"KV.PUT", key, read ? read->items[0].text : "", addition.value};
  uint8_t w = 0;
  if (rng.chance(kOwnQuorumChance)) {
    w = static_cast<uint8_t>(rng.between(1, std::min(quorum().n, least().n)));
    words.insert(words.end(), {"W", std::to_string(w)});
  }
  const auto done = [this, index, number, w](const RespReply* reply) {
    note_put(index, number, w, reply);
  };
  // What was read on a connection is written on the same.
  if (read) {
    client(index).follow_up(std::move(words), done);
  } else {
    client(index).call(std::move(words), done);
  }
}

void SetWorkload::note_put(size_t index, size_t number, uint8_t w, const RespReply* reply) {
  additions_[number].fate = fate_of(reply);
  if (additions_[number].fate != Fate::kStored) return next(index);
  const uint64_t ended_us = now_us();
  note_stored(index, number, reply->text);
  ask_copies(index, w, [this, index, number, ended_us](const Copies& copies) {
    Addition& addition = additions_[number];
    addition.copies = copies;
    addition.ended_us = ended_us;
    if (copies.ran_once) histories_[addition.key].has_one_dot(addition.value);
    next(index);
  });
}

void SetWorkload::note_stored(size_t index, size_t number, const std::string& token) {
  const std::string& key = additions_[number].key;
  const std::optional<cluster::Context> context = context_of(token);
  if (!context || context->detached.empty()) {
    return violation(fmt::format("KV.PUT of {} gave no context with its dot: {}", key, token));
  }
  const cluster::Dot& dot = context->detached[context->detached.size() - 1];
  const std::string name = fmt::format("{:x}/{:x}/{:x}@{:x}", dot.actor.node, dot.actor.incarnation,
                                       dot.actor.birth.value, dot.hlc.value);
  if (!dots_.emplace(key, name).second) {
    violation(fmt::format("two writes of {} have the dot {}", key, name));
  }
  written_[{index, key}] = {number, *context};
}

void SetWorkload::check_read(size_t index, const std::string& key, uint64_t began_us,
                             const RespReply& read) {
  std::vector<std::string> values;
  std::set<std::string> present;
  for (const RespReply& value : read.items[1].items) {
    values.push_back(value.text);
    for (std::string& element : elements_of(value.text)) present.insert(std::move(element));
  }
  const auto dominated = histories_[key].dominated(values);
  if (dominated && !cluster_.truncated_clocks()) {
    violation(fmt::format("a read of {} gave {} beside {}, which was written by who had read it",
                          key, dominated->second, dominated->first));
  }
  for (const Addition& addition : additions_) {
    if (addition.key != key || addition.ended_us == 0 || addition.ended_us >= began_us) continue;
    if (present.contains(addition.element)) continue;
    if (!must_be_read(addition.copies, addition.began_us)) continue;
    violation(fmt::format("a read of {} does not show element {}, acknowledged before it began",
                          key, addition.element));
  }
  check_context(index, key, read.items[0].text);
}

void SetWorkload::check_context(size_t index, const std::string& key, const std::string& token) {
  const auto written = written_.find({index, key});
  if (written == written_.end() || cluster_.truncated_clocks()) return;
  const Addition& addition = additions_[written->second.addition];
  if (addition.ended_us == 0 || !must_be_read(addition.copies, addition.began_us)) return;
  const std::optional<cluster::Context> context = context_of(token);
  if (context && covers(*context, written->second.context)) return;
  violation(fmt::format("the context of a read of {} does not know the client's own element {}",
                        key, addition.element));
}

std::vector<KeyName> SetWorkload::keys() const {
  std::set<KeyName> names;
  for (const Addition& addition : additions_) names.insert({db_, addition.key});
  return {names.begin(), names.end()};
}

void SetWorkload::check(const FinalState& state) {
  std::map<std::string, std::set<std::string>> present;
  for (const auto& [name, values] : state) {
    for (const std::string& value : values) {
      for (const std::string& element : elements_of(value)) present[name.key].insert(element);
    }
  }
  std::map<std::string, std::set<std::string>> possible;
  for (const Addition& addition : additions_) {
    if (addition.fate != Fate::kNever) possible[addition.key].insert(addition.element);
    if (addition.fate != Fate::kStored) continue;
    if (!cluster_.damage.must_survive(addition.copies, addition.began_us)) continue;
    if (!present[addition.key].contains(addition.element)) {
      violation(fmt::format("acknowledged element {} of {} is lost ({} primaries, {} fallbacks)",
                            addition.element, addition.key, addition.copies.primaries,
                            addition.copies.fallbacks));
    }
    if (!is_strict()) continue;
    const std::vector<std::string>& values = state.at({db_, addition.key});
    for (const std::string& known : addition.known) {
      if (std::find(values.begin(), values.end(), known) == values.end()) continue;
      violation(fmt::format(
          "{}: a value is there that the context of an acknowledged write covered", addition.key));
    }
  }
  for (const auto& [key, elements] : present) {
    for (const std::string& element : elements) {
      if (!key.starts_with(name_ + ":") || possible[key].contains(element)) continue;
      violation(fmt::format("{} has element {}, which was never added, or refused", key, element));
    }
  }
}

}  // namespace kvorum::sim
