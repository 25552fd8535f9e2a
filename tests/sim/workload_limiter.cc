// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/workloads.h"

namespace kvorum::sim {
namespace {

constexpr uint64_t kAskedBeforeTheNext = 40;
constexpr int64_t kLimit = 10;
constexpr const char* kScript =
    "local n = redis.call('INCR', KEYS[1]) "
    "if n == 1 then redis.call('PEXPIRE', KEYS[1], 100000000000) end "
    "if n > tonumber(ARGV[1]) then return 0 end return 1";

}  // namespace

void LimiterWorkload::step(size_t index) {
  const std::string key = fmt::format("{}:{}", name_, asked_++ / kAskedBeforeTheNext);
  client(index).call({"EVAL", kScript, "1", key, std::to_string(kLimit)},
                     [this, index, key](const RespReply* reply) {
                       Limiter& limiter = limiters_[key];
                       const Fate fate = fate_of(reply);
                       limiter.asked += fate != Fate::kNever;
                       limiter.uncertain += fate == Fate::kMaybe;
                       if (fate == Fate::kStored) limiter.let_through += reply->number;
                       next(index);
                     });
}

std::vector<KeyName> LimiterWorkload::keys() const {
  std::vector<KeyName> names;
  for (const auto& [key, limiter] : limiters_) names.push_back({db_, key});
  return names;
}

void LimiterWorkload::check(const FinalState&) {
  for (const auto& [key, limiter] : limiters_) {
    const int64_t most = std::min(kLimit, limiter.asked);
    if (limiter.let_through > kLimit || limiter.let_through + limiter.uncertain < most) {
      violation(
          fmt::format("{} let {} through of {} that asked ({} uncertain), and its limit is {}", key,
                      limiter.let_through, limiter.asked, limiter.uncertain, kLimit));
    }
  }
}

}  // namespace kvorum::sim
