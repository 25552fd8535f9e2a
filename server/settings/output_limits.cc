// SPDX-License-Identifier: Apache-2.0
#include "server/settings/output_limits.h"

#include <fmt/format.h>

#include <limits>
#include <optional>
#include <span>

#include "base/ascii.h"
#include "protocol/number_text.h"
#include "server/logbook/idle_settings.h"

namespace kvorum::server {
namespace {

constexpr std::string_view kWrongCount = "Wrong number of arguments in buffer limit configuration.";
constexpr std::string_view kWrongClass =
    "Invalid client class specified in buffer limit configuration.";
constexpr std::string_view kWrongLimit =
    "Error in hard, soft or soft_seconds setting in buffer limit configuration.";

struct OutputLimit {
  uint64_t hard_bytes = 0, soft_bytes = 0, soft_seconds = 0;
};

std::optional<OutputLimit> read_limit(std::span<const std::string_view> words) {
  const auto or_0 = [](std::string_view word) { return word.empty() ? "0" : word; };  // as Redis
  const auto hard = read_setting_bytes(or_0(words[0])), soft = read_setting_bytes(or_0(words[1]));
  const auto seconds = protocol::parse_int64(or_0(words[2]));
  const bool fits = seconds && *seconds >= 0 && *seconds <= std::numeric_limits<int32_t>::max();
  if (!hard || !soft || !fits) return std::nullopt;
  return OutputLimit{static_cast<uint64_t>(*hard), static_cast<uint64_t>(*soft),
                     static_cast<uint64_t>(*seconds)};
}

enum class OutputClass : uint8_t { kNormal, kReplica, kPubSub };

std::optional<OutputClass> find_class(std::string_view name) {
  if (equals_ignoring_case(name, "normal")) return OutputClass::kNormal;
  if (equals_ignoring_case(name, "pubsub")) return OutputClass::kPubSub;
  if (equals_ignoring_case(name, "slave") || equals_ignoring_case(name, "replica")) {
    return OutputClass::kReplica;
  }
  return std::nullopt;
}

void change_class(OutputClass which, const OutputLimit& to, LimitsConfig* limits,
                  std::string* replica) {
  switch (which) {
    case OutputClass::kNormal:
      limits->client_output_max_bytes = to.hard_bytes;
      limits->client_output_bytes = to.soft_bytes;
      limits->client_output_wait_ms = to.soft_seconds * 1000;
      return;
    case OutputClass::kPubSub:
      limits->subscriber_output_bytes = to.hard_bytes;
      limits->subscriber_behind_bytes = to.soft_bytes;
      limits->subscriber_behind_ms = to.soft_seconds * 1000;
      return;
    case OutputClass::kReplica:
      *replica = fmt::format("{} {} {}", to.hard_bytes, to.soft_bytes, to.soft_seconds);
      return;
  }
}

}  // namespace

std::string output_limits_text(const LimitsConfig& limits, std::string_view replica) {
  return fmt::format("normal {} {} {} slave {} pubsub {} {} {}", limits.client_output_max_bytes,
                     limits.client_output_bytes, limits.client_output_wait_ms / 1000, replica,
                     limits.subscriber_output_bytes, limits.subscriber_behind_bytes,
                     limits.subscriber_behind_ms / 1000);
}

std::vector<std::string_view> words_of_value(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t blank = text.find(' ');
    words.push_back(text.substr(0, blank));
    if (blank == std::string_view::npos) break;
    text.remove_prefix(blank + 1);
    if (text.empty()) words.push_back(text);
  }
  return words;
}

std::string change_output_limits(std::string_view text, LimitsConfig* limits,
                                 std::string* replica) {
  const std::vector<std::string_view> words = words_of_value(text);
  if (words.size() % 4 != 0) return std::string(kWrongCount);
  for (size_t at = 0; at < words.size(); at += 4) {
    const auto which = find_class(words[at]);
    if (!which) return std::string(kWrongClass);
    const auto limit = read_limit(std::span(words).subspan(at + 1, 3));
    if (!limit) return std::string(kWrongLimit);
    change_class(*which, *limit, limits, replica);
  }
  return {};
}

}  // namespace kvorum::server
