// SPDX-License-Identifier: Apache-2.0
#include "server/logbook/error_counts.h"

namespace kvorum::server {

void ErrorCounts::note(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::string_view code = text.substr(0, text.find_first_of(" \r\n"));
  if (code.empty() || code.size() > kCodeBytesMax) return;
  const MutexLock lock(mutex_);
  const auto found = counts_.find(code);
  if (found != counts_.end()) {
    ++found->second;
  } else if (counts_.size() < kCodesMax) {
    counts_.emplace(code, 1);
  }
}

std::map<std::string, uint64_t, std::less<>> ErrorCounts::all() const {
  const MutexLock lock(mutex_);
  return counts_;
}

void ErrorCounts::reset() {
  const MutexLock lock(mutex_);
  counts_.clear();
}

}  // namespace kvorum::server
