// SPDX-License-Identifier: Apache-2.0
// KVORUM_CHECK states what our own code guarantees, in release builds too. Never used on what a
// client, a peer or a disk sent: that is validated and answered.
#pragma once

namespace kvorum {

[[noreturn]] void check_failed(const char* expression, const char* file, int line);

}  // namespace kvorum

#define KVORUM_CHECK(condition)                               \
  do {                                                        \
    if (!(condition)) [[unlikely]]                            \
      ::kvorum::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
