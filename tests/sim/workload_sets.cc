// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/workloads.h"

namespace kvorum::sim {
namespace {

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

void SetWorkload::step(size_t index) {
  const std::string key =
      fmt::format("{}:{}", name_, client(index).rng().below(cluster_.swarm.keys_per_workload));
  client(index).call({"KV.GET", key}, [this, index, key](const RespReply* reply) {
    if (!reply || reply->items.size() != 2) {
      (void)fate_of(reply);
      return next(index);
    }
    add(index, key, *reply);
  });
}

void SetWorkload::add(size_t index, const std::string& key, const RespReply& read) {
  Addition addition;
  addition.key = key;
  addition.element = fmt::format("{}", additions_.size());
  addition.began_us = now_us();
  std::set<std::string> members;
  for (const RespReply& value : read.items[1].items) {
    addition.known.push_back(value.text);
    for (std::string& element : elements_of(value.text)) members.insert(std::move(element));
  }
  members.insert(addition.element);
  const std::string value = join_words({members.begin(), members.end()}, ',');
  const size_t number = additions_.size();
  additions_.push_back(std::move(addition));
  client(index).follow_up({"KV.PUT", key, read.items[0].text, value},
                          [this, index, number](const RespReply* reply) {
                            additions_[number].fate = fate_of(reply);
                            if (additions_[number].fate != Fate::kStored) return next(index);
                            ask_copies(index, [this, index, number](const Copies& copies) {
                              additions_[number].copies = copies;
                              next(index);
                            });
                          });
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
