// SPDX-License-Identifier: Apache-2.0
// Commands of Redis 8.4 that compare: DIGEST and DELEX, and the edit behind SET's IFEQ, IFNE, IFDEQ
// and IFDNE, whose options string_commands.cc reads.
#include "server/commands/set_condition.h"
#include "server/commands/words.h"

namespace kvorum::server {

// Argument: kSetGet and kSetKeepTtl, the match, the value's options.
EditOutput edit_set_matching(const EditInput& input, std::string& scratch) {
  ByteReader reader(input.argument);
  const uint8_t bits = reader.u8();
  const ValueMatch match = get_value_match(reader);
  const ValueOptions options = get_value_options(reader);
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  const std::optional<bool> stores = holds(match, input);
  if (!stores) return reject(kBadDigest);
  return set_if(*stores, bits, options, input);
}

// Argument: the match.
EditOutput edit_remove_matching(const EditInput& input, std::string& scratch) {
  ByteReader reader(input.argument);
  const ValueMatch match = get_value_match(reader);
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  if (input.visible.empty()) return keep(0, 0);
  const std::optional<bool> removes = holds(match, input);
  if (!removes) return reject(kBadDigest);
  return *removes ? store_tombstone(1) : keep(0, 0);
}

namespace {

using protocol::Reply;

// As in Redis a key that is not there is found out first.
Reply finish_bad_condition(const FinishInput& input) {
  if (seen(input).empty()) return Reply::integer(0);
  return Reply::error("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");
}

void delex(const CommandCall& call, Plan& plan) {
  if (call.words.size() == 2) {
    plan.edit(call.words[1], kEditRemove, finish_number);
    return;
  }
  if (call.words.size() != 4) {
    return plan.fail_owned(protocol::wrong_number_of_arguments(call.row.name));
  }
  std::optional<ValueMatch> match = match_option(call.words[2]);
  if (!match) {
    plan.read(call.words[1], finish_bad_condition);
    return;
  }
  match->text = call.words[3];
  put_value_match(plan.argument, *match);
  plan.edit(call.words[1], kEditRemoveMatching, finish_number).argument = plan.argument;
}

Reply finish_digest(const FinishInput& input) {
  const Versions versions = seen(input);
  return versions.empty() ? Reply::nil() : Reply::bulk_owned(value_digest(versions[0].bytes));
}

void digest(const CommandCall& call, Plan& plan) { plan.read(call.words[1], finish_digest); }

constexpr CommandRow kRows[] = {
    {"delex", -2, kWrite | kFast, 1, 1, 1, Group::kString, "8.4.0",
     "key [IFEQ value | IFNE value | IFDEQ digest | IFDNE digest]",
     "Deletes a key if its value, or the digest of it, is the one given, or is another one.",
     "O(1), O(N) for the digest of N bytes", delex},
    {"digest", 2, kReadonly | kFast, 1, 1, 1, Group::kString, "8.4.0", "key",
     "The XXH3 digest of a value with 64 bits, as 16 hexadecimal digits.", "O(N) for N bytes",
     digest},
};

}  // namespace

std::span<const CommandRow> matching_commands() { return kRows; }

}  // namespace kvorum::server
