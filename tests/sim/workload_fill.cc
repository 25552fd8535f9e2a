// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "tests/sim/workloads.h"

namespace kvorum::sim {
namespace {

constexpr uint64_t kPauseUs = 100'000;  // of one client between two values, about
constexpr uint64_t kNames = 60;
constexpr size_t kValueBytes = 4096;

}  // namespace

void FillWorkload::step(size_t index) {
  Rng& rng = client(index).rng();
  const uint64_t think_us = cluster_.swarm.think_us;
  if (!rng.chance(static_cast<double>(think_us) / static_cast<double>(kPauseUs))) {
    return next(index);
  }
  const std::string key = fmt::format("{}:{}", name_, rng.below(kNames));
  std::string value = fmt::format("{}-{}", key, written_[key].size());
  value.resize(kValueBytes, '.');
  written_[key].insert(value);
  client(index).call({"SET", key, value}, [this, index](const RespReply* reply) {
    (void)fate_of(reply);
    next(index);
  });
}

std::vector<KeyName> FillWorkload::keys() const {
  std::vector<KeyName> names;
  for (const auto& [key, values] : written_) names.push_back({db_, key});
  return names;
}

void FillWorkload::check(const FinalState& state) {
  for (const auto& [key, written] : written_) {
    for (const std::string& value : state.at({db_, key})) {
      if (!written.contains(value)) violation(key + " has a value that nobody wrote");
    }
  }
}

}  // namespace kvorum::sim
