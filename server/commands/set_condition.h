// SPDX-License-Identifier: Apache-2.0
// Under which conditions a value is set or removed, and how they travel in the arguments of edits:
// one byte of SetBits (kEditSetIf and its relatives), and a match, which stands for the IFEQ, IFNE,
// IFDEQ and IFDNE of SET and DELEX: the value at a key, or its digest, is the one given, or is not.
// Where there is no value, the two that ask for one do not hold. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "server/commands/edits.h"

namespace kvorum::server {

enum SetBit : uint8_t {
  kSetIfAbsent = 1 << 0,
  kSetIfPresent = 1 << 1,
  kSetGet = 1 << 2,
  kSetKeepTtl = 1 << 3,
};
enum SetReply : uint8_t { kWasSet, kWasNotSet };

// The argument of kEditSetIf. Its reply code says whether it stored.
inline void put_set_condition(std::string& argument, uint8_t bits, const ValueOptions& value) {
  put_u8(argument, bits);
  put_value_options(argument, value);
}

// What SET does under a condition that holds or does not: its reply, the old value where `bits` ask
// for it, and the new one where `stores`.
EditOutput set_if(bool stores, uint8_t bits, const ValueOptions& options, const EditInput& input);

struct ValueMatch {
  enum class Kind : uint8_t { kEqual, kNotEqual, kDigestEqual, kDigestNotEqual };
  Kind kind = Kind::kEqual;
  std::string_view text;  // the value or the digest
};

inline constexpr std::string_view kBadDigest = "ERR must be exactly 16 hexadecimal characters";

// The option's kind where `option` is one of them; its text is the caller's to set.
std::optional<ValueMatch> match_option(std::string_view option);

// XXH3 with 64 bits as 16 hexadecimal digits, small letters.
std::string value_digest(std::string_view value);

// Of the one value in `input`. Nothing: the key has a value, and the digest given is none.
std::optional<bool> holds(const ValueMatch& match, const EditInput& input);

void put_value_match(std::string& argument, const ValueMatch& match);
ValueMatch get_value_match(ByteReader& reader);

}  // namespace kvorum::server
