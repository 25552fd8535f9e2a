// SPDX-License-Identifier: Apache-2.0
// KVORUM_CHECK states what our own code guarantees, in release builds too. Never used on what a
// client, a peer or a disk sent: that is validated and answered. KVORUM_DEBUG_CHECK is for what
// costs more than a comparison of what is at hand: it stands in debug and sanitizer builds only.
#pragma once

namespace kvorum {

[[noreturn]] void check_failed(const char* expression, const char* file, int line);

}  // namespace kvorum

#define KVORUM_CHECK(condition)                               \
  do {                                                        \
    if (!(condition)) [[unlikely]]                            \
      ::kvorum::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)

#if defined(KVORUM_DEBUG_CHECKS)
#define KVORUM_DEBUG_CHECK(condition) KVORUM_CHECK(condition)
#else
#define KVORUM_DEBUG_CHECK(condition) static_cast<void>(sizeof((condition) ? 1 : 0))
#endif
