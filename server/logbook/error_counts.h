// SPDX-License-Identifier: Apache-2.0
// Errors that Redis's clients were answered, by their codes, for INFO errorstats. In memory alone,
// one of a node. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/mutex.h"

namespace kvorum::server {

class ErrorCounts {
 public:
  // Scripts may answer any word: what comes when there are so many is not counted.
  static constexpr size_t kCodesMax = 128;
  static constexpr size_t kCodeBytesMax = 64;

  // The error's text, with or without the minus before it. Its first word is the code.
  void note(std::string_view text);
  std::map<std::string, uint64_t, std::less<>> all() const;
  void reset();

 private:
  mutable Mutex mutex_;
  std::map<std::string, uint64_t, std::less<>> counts_ KVORUM_GUARDED_BY(mutex_);
};

}  // namespace kvorum::server
