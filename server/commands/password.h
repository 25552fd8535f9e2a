// SPDX-License-Identifier: Apache-2.0
// The password of AUTH, HELLO AUTH and of memcached's ASCII authentication, and the pace at which
// an address that failed before may try again.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/time.h"
#include "server/commands/command.h"

namespace kvorum::server {

inline constexpr std::string_view kDefaultUser = "default";

// Takes the same time wherever the two differ.
inline bool same_password(std::string_view given, std::string_view expected) {
  unsigned char difference = given.size() == expected.size() ? 0 : 1;
  for (size_t i = 0; i < given.size() && !expected.empty(); ++i) {
    difference |= static_cast<unsigned char>(given[i] ^ expected[i % expected.size()]);
  }
  return difference == 0;
}

// Looks at all of them, whichever is right.
inline bool is_password(std::string_view given, std::span<const std::string> passwords) {
  bool right = false;
  for (const std::string& password : passwords) right |= same_password(given, password);
  return right;
}

// Whether this attempt has to wait, right or wrong: then the plan says until when, and the request
// is run again at that time.
inline bool must_wait_to_log_in(SessionState& session, NodeFacts& facts, Now now, Plan& plan) {
  if (session.login_at_us == 0) {
    const uint64_t delay_us = facts.login_delay_us(session.peer_address);
    if (delay_us == 0) return false;
    session.login_at_us = now.steady_us + delay_us;
  }
  if (now.steady_us < session.login_at_us) {
    plan.again_at_us = session.login_at_us;
    return true;
  }
  session.login_at_us = 0;
  return false;
}

}  // namespace kvorum::server
