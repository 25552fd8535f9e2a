// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "protocol/glob.h"
#include "server/commands/words.h"

namespace kvorum::server {
namespace {

using cluster::KeyspaceCompletion;
using cluster::KeyspaceRequest;
using protocol::Reply;

constexpr uint32_t kScanCountDefault = 10;
constexpr uint32_t kKeysBatch = 1000;
// More than this is no answer that a client wants in one piece.
constexpr size_t kKeysBytesMax = 256 * 1024 * 1024;

// What KEYS and SCAN remember: a pattern, unless all keys match.
enum : int64_t { kAllMatch, kHasPattern };

void remember_pattern(std::string_view pattern, Plan& plan) {
  plan.remembered.second = pattern == "*" ? kAllMatch : kHasPattern;
  plan.remembered.text = pattern;
}

bool shows(const Remembered& remembered, std::string_view key) {
  return remembered.second == kAllMatch || protocol::glob_matches(remembered.text, key);
}

Reply cursor_and_keys(uint64_t cursor, std::vector<Reply> keys) {
  std::vector<Reply> items;
  items.push_back(Reply::bulk_owned(std::to_string(cursor)));
  items.push_back(Reply::array(std::move(keys)));
  return Reply::array(std::move(items));
}

KeyspaceStep finish_scan(const KeyspaceCompletion& completion, Remembered& remembered) {
  std::vector<Reply> keys;
  const bool other_type = remembered.number != 0;
  for (const std::string& key : completion.keys) {
    if (!other_type && shows(remembered, key)) keys.push_back(Reply::bulk(key));
  }
  return {false, 0, cursor_and_keys(completion.cursor, std::move(keys))};
}

// As Redis reads it: no digits are 0, and a minus wraps. A cursor beyond ours is the last place.
bool read_cursor(std::string_view word, uint64_t* cursor) {
  const bool has_sign = word.starts_with('-') || word.starts_with('+');
  const std::string_view digits = word.substr(has_sign ? 1 : 0);
  const char* const end = digits.data() + digits.size();
  const auto [rest, error] = std::from_chars(digits.data(), end, *cursor);
  if (!word.empty() && (error != std::errc() || rest != end)) return false;
  if (word.starts_with('-')) *cursor = 0 - *cursor;
  constexpr uint64_t kCursorMax = (1ULL << cluster::kScanCursorBits) - 1;
  *cursor = std::min(*cursor, kCursorMax);
  return true;
}

bool read_scan_count(std::string_view word, Plan& plan, uint32_t* count) {
  int64_t number = 0;
  if (!read_integer(word, plan, &number)) return false;
  if (number < 1) {
    plan.fail(protocol::kSyntaxError);
    return false;
  }
  *count = static_cast<uint32_t>(std::min<int64_t>(number, 1'000'000));
  return true;
}

void scan(const CommandCall& call, Plan& plan) {
  uint64_t cursor = 0;
  uint32_t count = kScanCountDefault;
  if (!read_cursor(call.words[1], &cursor)) return plan.fail(protocol::kInvalidCursor);
  for (size_t i = 2; i < call.words.size(); i += 2) {
    const bool has_value = i + 1 < call.words.size();
    if (has_value && equals_ignoring_case(call.words[i], "count")) {
      if (!read_scan_count(call.words[i + 1], plan, &count)) return;
    } else if (has_value && equals_ignoring_case(call.words[i], "match")) {
      remember_pattern(call.words[i + 1], plan);
    } else if (has_value && equals_ignoring_case(call.words[i], "type")) {
      plan.remembered.number = equals_ignoring_case(call.words[i + 1], "string") ? 0 : 1;
    } else {
      return plan.fail(protocol::kSyntaxError);
    }
  }
  plan.whole_keyspace(KeyspaceRequest::Kind::kScan, finish_scan);
  plan.keyspace_request.cursor = cursor;
  plan.keyspace_request.count = count;
}

KeyspaceStep finish_keys(const KeyspaceCompletion& completion, Remembered& remembered) {
  for (const std::string& key : completion.keys) {
    if (!shows(remembered, key)) continue;
    protocol::append_bulk(remembered.gathered, key);
    ++remembered.number;
  }
  if (remembered.gathered.size() > kKeysBytesMax) {
    return {false, 0, Reply::error("ERR too many keys match; use SCAN")};
  }
  if (completion.cursor != 0) return {true, completion.cursor, {}};
  std::string bytes;
  protocol::append_array_header(bytes, static_cast<size_t>(remembered.number));
  bytes += remembered.gathered;
  return {false, 0, Reply::preformatted_owned(std::move(bytes))};
}

void keys(const CommandCall& call, Plan& plan) {
  remember_pattern(call.words[1], plan);
  plan.whole_keyspace(KeyspaceRequest::Kind::kScan, finish_keys);
  plan.keyspace_request.count = kKeysBatch;
}

// From a random cursor to the end, then, if nothing was found there, once from the start.
KeyspaceStep finish_randomkey(const KeyspaceCompletion& completion, Remembered& remembered) {
  if (!completion.keys.empty()) {
    const uint64_t pick = static_cast<uint64_t>(remembered.second) % completion.keys.size();
    return {false, 0, Reply::bulk(completion.keys[pick])};
  }
  if (completion.cursor != 0) return {true, completion.cursor, {}};
  const bool was_second_pass = remembered.number != 0;
  remembered.number = 1;
  if (was_second_pass) return {false, 0, Reply::nil()};
  return {true, 0, {}};
}

void randomkey(const CommandCall& call, Plan& plan) {
  plan.remembered.second = static_cast<int64_t>(call.facts.random());
  plan.whole_keyspace(KeyspaceRequest::Kind::kScan, finish_randomkey);
  plan.keyspace_request.cursor = call.facts.random() >> (64 - cluster::kScanCursorBits);
  plan.keyspace_request.count = 1;
}

KeyspaceStep finish_dbsize(const KeyspaceCompletion& completion, Remembered&) {
  return {false, 0, Reply::integer(static_cast<int64_t>(completion.count))};
}

void dbsize(const CommandCall&, Plan& plan) {
  plan.whole_keyspace(KeyspaceRequest::Kind::kCount, finish_dbsize);
}

KeyspaceStep finish_flush(const KeyspaceCompletion&, Remembered&) {
  return {false, 0, Reply::ok()};
}

// A flush is a mark: ASYNC and SYNC are the same.
void plan_flush(const CommandCall& call, bool all, Plan& plan) {
  const bool valid = call.words.size() == 1 ||
                     (call.words.size() == 2 && (equals_ignoring_case(call.words[1], "async") ||
                                                 equals_ignoring_case(call.words[1], "sync")));
  if (!valid) return plan.fail(protocol::kSyntaxError);
  plan.whole_keyspace(KeyspaceRequest::Kind::kFlush, finish_flush);
  plan.keyspace_request.all_keyspaces = all;
}
void flushdb(const CommandCall& call, Plan& plan) { plan_flush(call, false, plan); }
void flushall(const CommandCall& call, Plan& plan) { plan_flush(call, true, plan); }

constexpr RowHints kSumOfShards{.tips = "request_policy:all_shards response_policy:agg_sum"};
constexpr RowHints kLists{.tips = "request_policy:all_shards nondeterministic_output_order"};
constexpr RowHints kSomeOfShards{
    .tips = "request_policy:all_shards response_policy:special nondeterministic_output"};
constexpr RowHints kScans{
    .tips = "nondeterministic_output request_policy:special response_policy:special"};

constexpr CommandRow kRows[] = {
    {"dbsize", 1, kReadonly | kFast | kBarrier, 0, 0, 0, Group::kServer, "1.0.0", "",
     "How many keys the database has, in the whole cluster; exact when it is settled.",
     "O(1) per partition", dbsize, &kSumOfShards},
    {"flushall", -1, kWrite | kBarrier, 0, 0, 0, Group::kServer, "1.0.0", "[ASYNC | SYNC]",
     "Removes every key of every database, by a mark that all members take over.", "O(members)",
     flushall, &hint::kTellsShards},
    {"flushdb", -1, kWrite | kBarrier, 0, 0, 0, Group::kServer, "1.0.0", "[ASYNC | SYNC]",
     "Removes every key of the database, by a mark that all members take over.", "O(members)",
     flushdb, &hint::kTellsShards},
    {"keys", 2, kReadonly | kBarrier, 0, 0, 0, Group::kGeneric, "1.0.0", "pattern",
     "All keys of the cluster that match a pattern; use SCAN instead.", "O(N) for N keys", keys,
     &kLists},
    {"randomkey", 1, kReadonly | kBarrier, 0, 0, 0, Group::kGeneric, "1.0.0", "",
     "Some key of the database.", "O(1)", randomkey, &kSomeOfShards},
    {"scan", -2, kReadonly | kBarrier, 0, 0, 0, Group::kGeneric, "2.8.0",
     "cursor [MATCH pattern] [COUNT count] [TYPE type]",
     "Walks over the keys of the cluster. A cursor is a place on the ring, below 2^53: any node "
     "takes "
     "it.",
     "O(1) per call, O(N) for N keys in all", scan, &kScans},
};

}  // namespace

std::span<const CommandRow> keyspace_commands() { return kRows; }

}  // namespace kvorum::server
