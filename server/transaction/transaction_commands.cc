// SPDX-License-Identifier: Apache-2.0
// MULTI and what belongs to it: the connection's transaction does the work
// (server/transaction).
#include "server/commands/command.h"

namespace kvorum::server {
namespace {

void multi(const CommandCall&, Plan& plan) { plan.transaction(TransactionVerb::kMulti); }
void exec(const CommandCall&, Plan& plan) { plan.transaction(TransactionVerb::kExec); }
void discard(const CommandCall&, Plan& plan) { plan.transaction(TransactionVerb::kDiscard); }
void unwatch(const CommandCall&, Plan& plan) { plan.transaction(TransactionVerb::kUnwatch); }

void watch(const CommandCall& call, Plan& plan) {
  for (const std::string_view key : call.words.subspan(1)) plan.read(key, nullptr);
  plan.transaction(TransactionVerb::kWatch);
}

constexpr uint32_t kAtOnce = kNoScript | kLoading | kStale | kFast | kUnqueued;

constexpr CommandRow kRows[] = {
    {"discard", 1, kAtOnce, 0, 0, 0, Group::kTransactions, "2.0.0", "",
     "Forgets the commands since MULTI.", "O(N) for N queued commands", discard},
    {"exec", 1, kNoScript | kLoading | kStale | kUnqueued | kBarrier, 0, 0, 0, Group::kTransactions,
     "1.2.0", "",
     "Runs the commands since MULTI: those of one key are one write, keys are independent.",
     "Depends on the commands", exec},
    {"multi", 1, kAtOnce, 0, 0, 0, Group::kTransactions, "1.2.0", "",
     "Queues the commands that follow, until EXEC.", "O(1)", multi},
    {"unwatch", 1, kNoScript | kLoading | kStale | kFast, 0, 0, 0, Group::kTransactions, "2.2.0",
     "", "Forgets all keys that are watched.", "O(1)", unwatch},
    {"watch", -2, kAtOnce | kBarrier, 1, -1, 1, Group::kTransactions, "2.2.0", "key [key ...]",
     "EXEC runs only if none of these keys, all of one partition, has changed.", "O(N) for N keys",
     watch, &hint::kLooks},
};

}  // namespace

std::span<const CommandRow> transaction_commands() { return kRows; }

}  // namespace kvorum::server
