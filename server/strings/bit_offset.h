// SPDX-License-Identifier: Apache-2.0
// Reading of an argument that is the number of a bit. No larger than the limit of values allows.
// Used by handlers only; pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/number_text.h"
#include "server/commands/command.h"

namespace kvorum::server {

// `bits`: of the field at that place, whose number may be given as "#3" instead; 0: it may not.
// Nothing with the error set in the plan.
inline std::optional<uint64_t> read_bit_offset(const CommandCall& call, std::string_view word,
                                               int64_t bits, Plan& plan) {
  const bool in_fields = bits > 0 && word.starts_with('#');
  const std::optional<int64_t> number = protocol::parse_int64(word.substr(in_fields ? 1 : 0));
  int64_t bit = 0;
  const bool overflows = number && __builtin_mul_overflow(*number, in_fields ? bits : 1, &bit);
  const int64_t bytes_max = static_cast<int64_t>(call.facts.value_bytes_max());
  if (!number || overflows || bit < 0 || bit / 8 >= bytes_max) {
    plan.fail("ERR bit offset is not an integer or out of range");
    return std::nullopt;
  }
  return static_cast<uint64_t>(bit);
}

}  // namespace kvorum::server
