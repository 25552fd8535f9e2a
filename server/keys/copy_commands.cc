// SPDX-License-Identifier: Apache-2.0
// COPY, MOVE, RENAME and RENAMENX. The source is read, the destination written, and then the source
// deleted under the context of what was read: what somebody else wrote there meanwhile stays. A
// failure in between leaves the value at both keys, never at none.
#include <optional>

#include "server/commands/set_condition.h"
#include "server/commands/words.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

constexpr std::string_view kNoSuchKey = "ERR no such key";
constexpr std::string_view kSameObject = "ERR source and destination objects are the same";

// What one of these commands does with what it read. Keys borrow from the command's words.
struct Transfer {
  std::string_view from, to;
  std::optional<uint8_t> other_keyspace;  // where `to` is
  bool replaces = false;
  bool deletes = false;  // the source
};

// False with the reply planned: of several siblings none may be lost.
bool check_source(const StageResult& source, Reply absent, Plan& plan) {
  if (!source.found()) return plan.answer(std::move(absent)), false;
  if (source.siblings == 1) return true;
  plan.fail_owned(conflict_error(source.siblings));
  return false;
}

void plan_destination(const Transfer& transfer, const StageResult& source, Plan& plan) {
  const ValueOptions options{source.deadline_ms, source.flags};
  if (transfer.replaces) {
    put_value_options(plan.argument, options);
  } else {
    put_set_condition(plan.argument, kSetIfAbsent, options);
  }
  cluster::Request& request =
      plan.edit(transfer.to, transfer.replaces ? kEditSet : kEditSetIf, nullptr);
  request.argument = plan.argument;
  request.value = source.bytes();
  if (source.owner) request.value_owner = &source.owner;
  if (transfer.other_keyspace) plan.other_keyspace = *transfer.other_keyspace;
}

void plan_source_removal(const Transfer& transfer, const StageResult& source, Plan& plan) {
  cluster::Request& request = plan.edit(transfer.from, kEditDeleteVersions, nullptr);
  request.has_context = true;
  request.context = &source.context;
}

struct TransferReplies {
  Reply absent, refused, done;
};

// The stages of all of them: read, write, delete.
void run_transfer(const StageCall& call, const Transfer& transfer, TransferReplies replies,
                  Plan& plan) {
  switch (call.stage()) {
    case 0:
      plan.read(transfer.from, nullptr);
      return;
    case 1:
      if (!check_source(call.results()[0], std::move(replies.absent), plan)) return;
      return plan_destination(transfer, call.results()[0], plan);
    case 2: {
      const bool written = transfer.replaces || call.results()[0].reply_code == kWasSet;
      if (!written) return plan.answer(std::move(replies.refused));
      if (!transfer.deletes) return plan.answer(std::move(replies.done));
      return plan_source_removal(transfer, call.done[0][0], plan);
    }
    default:
      return plan.answer(std::move(replies.done));
  }
}

TransferReplies numbers() { return {Reply::integer(0), Reply::integer(0), Reply::integer(1)}; }

// The options of COPY. False with the error set in the plan.
bool read_copy(Words words, uint8_t keyspace, Plan& plan, Transfer* transfer) {
  *transfer = {words[1], words[2], keyspace, false, false};
  for (size_t i = 3; i < words.size(); ++i) {
    if (equals_ignoring_case(words[i], "replace")) {
      transfer->replaces = true;
    } else if (equals_ignoring_case(words[i], "db") && i + 1 < words.size()) {
      uint8_t other = 0;
      if (!read_database(words[++i], plan, &other)) return false;
      transfer->other_keyspace = other;
    } else {
      return plan.fail(protocol::kSyntaxError), false;
    }
  }
  if (transfer->other_keyspace != keyspace || transfer->from != transfer->to) return true;
  return plan.fail(kSameObject), false;
}

void copy_stage(const StageCall& call, Plan& plan) {
  const std::vector<std::string_view> words(call.words.begin(), call.words.end());
  Transfer transfer;
  if (read_copy(words, call.keyspace, plan, &transfer)) {
    run_transfer(call, transfer, numbers(), plan);
  }
}

void copy(const CommandCall& call, Plan& plan) {
  Transfer transfer;
  if (!read_copy(call.words, call.session.keyspace, plan, &transfer)) return;
  plan.in_stages(call.words, copy_stage);
}

void move_stage(const StageCall& call, Plan& plan) {
  uint8_t other = 0;
  if (!read_database(call.words[2], plan, &other)) return;
  run_transfer(call, {call.words[1], call.words[1], other, false, true}, numbers(), plan);
}

void move(const CommandCall& call, Plan& plan) {
  uint8_t other = 0;
  if (!read_database(call.words[2], plan, &other)) return;
  if (other == call.session.keyspace) return plan.fail(kSameObject);
  plan.in_stages(call.words, move_stage);
}

void rename_stage(const StageCall& call, Plan& plan) {
  run_transfer(call, {call.words[1], call.words[2], {}, true, true},
               {Reply::error(kNoSuchKey), Reply::none(), Reply::ok()}, plan);
}

void renamenx_stage(const StageCall& call, Plan& plan) {
  run_transfer(call, {call.words[1], call.words[2], {}, false, true},
               {Reply::error(kNoSuchKey), Reply::integer(0), Reply::integer(1)}, plan);
}

// To its own name: nothing is written.
Reply finish_same_name(const FinishInput& input) {
  if (seen(input).empty()) return Reply::error(kNoSuchKey);
  return input.remembered.number != 0 ? Reply::integer(0) : Reply::ok();
}

void plan_rename(const CommandCall& call, bool only_if_absent, Plan& plan) {
  if (call.words[1] != call.words[2]) {
    return plan.in_stages(call.words, only_if_absent ? renamenx_stage : rename_stage);
  }
  plan.remembered.number = only_if_absent ? 1 : 0;
  plan.read(call.words[1], finish_same_name);
}
void rename(const CommandCall& call, Plan& plan) { plan_rename(call, false, plan); }
void renamenx(const CommandCall& call, Plan& plan) { plan_rename(call, true, plan); }

constexpr RowHints kCopies{.keys = "RO access", .last_keys = "OW update"};
constexpr RowHints kMoves{.keys = "RW access delete", .last_keys = "OW update"};
constexpr RowHints kMovesWhereNone{.keys = "RW access delete", .last_keys = "OW insert"};

constexpr CommandRow kRows[] = {
    {"copy", -3, kWrite | kDenyOom | kBarrier, 1, 2, 1, Group::kGeneric, "6.2.0",
     "source destination [DB destination-db] [REPLACE]",
     "Writes the value of a key, and when it expires, to another one: a read, then a write.",
     "O(N) for N bytes", copy, &kCopies},
    {"move", 3, kWrite | kFast | kBarrier, 1, 1, 1, Group::kGeneric, "1.0.0", "key db",
     "Moves a key to another database: a read, a write, a delete of what was read. Others may see "
     "both for a moment; a failure in between leaves both.",
     "O(N) for N bytes", move},
    {"rename", 3, kWrite | kBarrier, 1, 2, 1, Group::kGeneric, "1.0.0", "key newkey",
     "Renames a key: a read, a write to the new name, a delete of what was read. Others may see "
     "both for a moment; a failure in between leaves both, and a write to the old name that comes "
     "between stays there.",
     "O(N) for N bytes", rename, &kMoves},
    {"renamenx", 3, kWrite | kFast | kBarrier, 1, 2, 1, Group::kGeneric, "1.0.0", "key newkey",
     "The same, where the new name is absent.", "O(N) for N bytes", renamenx, &kMovesWhereNone},
};

}  // namespace

std::span<const CommandRow> copy_commands() { return kRows; }

}  // namespace kvorum::server
