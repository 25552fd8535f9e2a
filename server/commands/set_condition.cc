// SPDX-License-Identifier: Apache-2.0
#include "server/commands/set_condition.h"

#include <fmt/format.h>

#include "base/ascii.h"
#include "base/hash.h"

namespace kvorum::server {
namespace {

using Kind = ValueMatch::Kind;

constexpr size_t kDigestDigits = 16;

}  // namespace

EditOutput set_if(bool stores, uint8_t bits, const ValueOptions& options, const EditInput& input) {
  const bool found = !input.visible.empty();
  EditOutput output;
  output.reply_code = stores ? kWasSet : kWasNotSet;
  if (bits & kSetGet && found) {
    output.has_reply_bytes = true;
    output.reply_bytes = input.visible[0].bytes;
  }
  if (!stores) return output;
  output.verdict = EditOutput::Verdict::kStore;
  output.bytes = input.value;
  output.flags = options.flags;
  output.deadline_ms = options.deadline_ms;
  if (bits & kSetKeepTtl && found) output.deadline_ms = input.visible[0].deadline_ms;
  return output;
}

std::optional<ValueMatch> match_option(std::string_view option) {
  if (equals_ignoring_case(option, "ifeq")) return ValueMatch{Kind::kEqual, {}};
  if (equals_ignoring_case(option, "ifne")) return ValueMatch{Kind::kNotEqual, {}};
  if (equals_ignoring_case(option, "ifdeq")) return ValueMatch{Kind::kDigestEqual, {}};
  if (equals_ignoring_case(option, "ifdne")) return ValueMatch{Kind::kDigestNotEqual, {}};
  return std::nullopt;
}

std::string value_digest(std::string_view value) {
  return fmt::format("{:016x}", hash_seeded(value, 0));
}

std::optional<bool> holds(const ValueMatch& match, const EditInput& input) {
  const bool wants_other = match.kind == Kind::kNotEqual || match.kind == Kind::kDigestNotEqual;
  if (input.visible.empty()) return wants_other;
  const std::string_view value = input.visible[0].bytes;
  if (match.kind == Kind::kEqual || match.kind == Kind::kNotEqual) {
    return (value == match.text) != wants_other;
  }
  if (match.text.size() != kDigestDigits) return std::nullopt;
  return equals_ignoring_case(match.text, value_digest(value)) != wants_other;
}

void put_value_match(std::string& argument, const ValueMatch& match) {
  put_u8(argument, static_cast<uint8_t>(match.kind));
  put_bytes(argument, match.text);
}

ValueMatch get_value_match(ByteReader& reader) {
  ValueMatch match;
  match.kind = static_cast<Kind>(reader.u8());
  match.text = reader.bytes();
  return match;
}

}  // namespace kvorum::server
