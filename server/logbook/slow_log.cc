// SPDX-License-Identifier: Apache-2.0
#include "server/logbook/slow_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace kvorum::server {
namespace {

std::string cut(std::string_view word) {
  if (word.size() <= SlowLog::kWordBytesMax) return std::string(word);
  return fmt::format("{}... ({} more bytes)", word.substr(0, SlowLog::kWordBytesMax),
                     word.size() - SlowLog::kWordBytesMax);
}

std::vector<std::string> cut(std::span<const std::string_view> words) {
  const bool is_long = words.size() > SlowLog::kWordsMax;
  const size_t shown = is_long ? SlowLog::kWordsMax - 1 : words.size();
  std::vector<std::string> kept;
  kept.reserve(shown + 1);
  for (const std::string_view word : words.first(shown)) kept.push_back(cut(word));
  if (is_long) kept.push_back(fmt::format("... ({} more arguments)", words.size() - shown));
  return kept;
}

}  // namespace

void SlowLog::set_length_max(uint64_t length) {
  const uint64_t bounded = std::min(length, kLengthMax);
  length_max_.store(bounded, std::memory_order_relaxed);
  const MutexLock lock(mutex_);
  while (commands_.size() > bounded) commands_.pop_back();
}

void SlowLog::add(std::span<const std::string_view> words, SlowCommand command) {
  command.words = cut(words);
  const MutexLock lock(mutex_);
  command.id = next_id_++;
  commands_.push_front(std::move(command));
  while (commands_.size() > length_max()) commands_.pop_back();
}

std::vector<SlowCommand> SlowLog::newest(size_t count) const {
  const MutexLock lock(mutex_);
  const auto shown = static_cast<std::ptrdiff_t>(std::min(count, commands_.size()));
  return {commands_.begin(), commands_.begin() + shown};
}

size_t SlowLog::length() const {
  const MutexLock lock(mutex_);
  return commands_.size();
}

void SlowLog::reset() {
  const MutexLock lock(mutex_);
  commands_.clear();
}

}  // namespace kvorum::server
