// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "server/commands/edits.h"
#include "server/commands/words.h"

namespace kvorum::server {

namespace {

// By this very request, through a coordinator whose answer was lost.
bool removed_before(const EditInput& input) {
  return input.origin != 0 &&
         std::any_of(
             input.object.versions.begin(), input.object.versions.end(),
             [&](const cluster::Version& version) { return version.origin == input.origin; });
}

}  // namespace

// All siblings go: the tombstone is newer than everything that R replicas knew. Where a key that is
// not found may have been evicted it is written too: the copies that still have it must not show it
// any more.
EditOutput edit_remove(const EditInput& input, std::string&) {
  if (!input.visible.empty()) return store_tombstone(1);
  const int64_t removed = removed_before(input) ? 1 : 0;
  return input.may_be_evicted && removed == 0 ? store_tombstone(0) : keep(0, removed);
}

namespace {

using protocol::Reply;

void del(const CommandCall& call, Plan& plan) {
  for (std::string_view key : call.words.subspan(1)) plan.edit(key, kEditRemove, finish_number);
  plan.gather = Gather::kSum;
}

Reply finish_exists(const FinishInput& input) {
  return Reply::integer(seen(input).empty() ? 0 : 1);
}

void exists(const CommandCall& call, Plan& plan) {
  for (std::string_view key : call.words.subspan(1)) plan.read(key, finish_exists);
  plan.gather = Gather::kSum;
}

Reply finish_type(const FinishInput& input) {
  return Reply::simple(seen(input).empty() ? "none" : "string");
}

void type(const CommandCall& call, Plan& plan) { plan.read(call.words[1], finish_type); }

constexpr RowHints kCountsEach{.keys = "RO",
                               .tips = "request_policy:multi_shard response_policy:agg_sum"};
constexpr RowHints kRemovesEach{.keys = "RM delete",
                                .tips = "request_policy:multi_shard response_policy:agg_sum"};

constexpr CommandRow kRows[] = {
    {"del", -2, kWrite, 1, -1, 1, Group::kGeneric, "1.0.0", "key [key ...]",
     "Deletes keys and answers how many there were.", "O(N) for N keys", del, &kRemovesEach},
    {"exists", -2, kReadonly | kFast, 1, -1, 1, Group::kGeneric, "1.0.0", "key [key ...]",
     "How many of the named keys exist; a key named twice counts twice.", "O(N) for N keys", exists,
     &kCountsEach},
    {"touch", -2, kReadonly | kFast, 1, -1, 1, Group::kGeneric, "3.2.1", "key [key ...]",
     "How many of the named keys exist; reading them marks them as used.", "O(N) for N keys",
     exists, &kCountsEach},
    {"type", 2, kReadonly | kFast, 1, 1, 1, Group::kGeneric, "1.0.0", "key",
     "The type of the value at a key: string, or none.", "O(1)", type, &hint::kLooks},
    {"unlink", -2, kWrite | kFast, 1, -1, 1, Group::kGeneric, "4.0.0", "key [key ...]",
     "The same as DEL: memory is never freed in the way of other commands.", "O(N) for N keys", del,
     &kRemovesEach},
};

}  // namespace

std::span<const CommandRow> generic_commands() { return kRows; }

}  // namespace kvorum::server
