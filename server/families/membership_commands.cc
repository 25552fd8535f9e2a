// SPDX-License-Identifier: Apache-2.0
// KV.CLUSTER: the cluster as this node sees it, and what an administrator wishes of its members
// (docs/OPERATING.md, "Members").
#include <fmt/format.h>

#include "base/ascii.h"
#include "server/commands/help.h"
#include "server/commands/words.h"
#include "server/membership/wish_names.h"
#include "server/status/membership_text.h"

namespace kvorum::server {
namespace {

using protocol::Reply;
using Kind = MembershipWish::Kind;

constexpr uint64_t kLookUs = 1'000;
constexpr uint64_t kPatienceUs = 5'000'000;  // with a disk
constexpr std::string_view kNeverChanges = "ERR the membership of this cluster does not change";

void cluster_status(const CommandCall& call, Plan& plan) {
  plan.answer(Reply::verbatim_owned(cluster_status_text(call.facts.status())));
}

void cluster_members(const CommandCall& call, Plan& plan) {
  plan.answer(Reply::verbatim_owned(members_text(call.facts.status())));
}

void cluster_transfers(const CommandCall& call, Plan& plan) {
  plan.answer(Reply::verbatim_owned(transfers_text(call.facts.status())));
}

// `JOIN f` and so on; `words` begins with the wish. False, and the error planned.
bool read_wish(Words words, Plan& plan, MembershipWish* wish) {
  struct Row {
    Kind kind;
    size_t least, most;
  };
  constexpr Row kRows[] = {{Kind::kJoin, 2, 2},     {Kind::kLeave, 1, 2},  {Kind::kRemove, 2, 3},
                           {Kind::kReplace, 3, 4},  {Kind::kWeight, 3, 3}, {Kind::kApply, 2, 2},
                           {Kind::kPlacement, 2, 2}};
  for (const Row& row : kRows) {
    if (words.empty() || !equals_ignoring_case(words[0], name_of(row.kind))) continue;
    const bool fits = words.size() >= row.least && words.size() <= row.most;
    wish->kind = row.kind;
    const bool may_force = row.kind == Kind::kRemove || row.kind == Kind::kReplace;
    wish->force = fits && may_force && words.size() == row.most;
    if (!fits || (wish->force && !equals_ignoring_case(words.back(), "force"))) break;
    if (row.kind == Kind::kApply) {
      wish->file = words[1];
      return true;
    }
    int64_t number = 0;
    if (row.kind == Kind::kPlacement) {
      if (!read_integer(words[1], plan, &number)) return false;
      wish->placement = number < 0 || number > UINT8_MAX ? 0 : static_cast<uint8_t>(number);
      return true;
    }
    if (words.size() > 1) wish->name = words[1];
    if (row.kind == Kind::kReplace) wish->by = words[2];
    if (row.kind != Kind::kWeight) return true;
    if (!read_integer(words[2], plan, &number)) return false;
    wish->weight = number < 0 || number > UINT32_MAX ? 0 : static_cast<uint32_t>(number);
    return true;
  }
  plan.fail(protocol::kSyntaxError);
  return false;
}

void fail_with(const Status& status, Plan& plan) { plan.fail_owned("ERR " + status.message()); }

// Taken, and planned again until it is on the disk: only then it is acknowledged.
void await_effect(const CommandCall& call, Plan& plan) {
  SessionState& session = call.session;
  if (call.facts.membership()->has_effect(session.wished)) {
    session.wished_until_us = 0;
    return plan.answer(Reply::ok());
  }
  if (call.now.steady_us < session.wished_until_us) {
    plan.again_at_us = call.now.steady_us + kLookUs;
    return;
  }
  session.wished_until_us = 0;
  plan.fail("ERR the change is taken and not written yet: the disk of this node is slow, or full");
}

void cluster_change(const CommandCall& call, Plan& plan) {
  MembershipDesk* const desk = call.facts.membership();
  if (desk == nullptr) return plan.fail(kNeverChanges);
  if (call.session.wished_until_us != 0) return await_effect(call, plan);
  MembershipWish wish;
  if (!read_wish(call.words.subspan(1), plan, &wish)) return;
  const auto taken = desk->take(wish, {});
  if (!taken.ok()) return fail_with(taken.status(), plan);
  call.session.wished = taken.value().change;
  call.session.wished_until_us = call.now.steady_us + kPatienceUs;
  await_effect(call, plan);
}

void cluster_plan(const CommandCall& call, Plan& plan) {
  MembershipDesk* const desk = call.facts.membership();
  if (desk == nullptr) return plan.fail(kNeverChanges);
  MembershipWish wish;
  if (!read_wish(call.words.subspan(2), plan, &wish)) return;
  const auto planned = desk->plan(wish);
  if (!planned.ok()) return fail_with(planned.status(), plan);
  plan.answer(Reply::verbatim_owned(plan_text(planned.value())));
}

constexpr uint32_t kLook = kLoading | kStale;
constexpr uint32_t kChange = kAdmin | kStale | kNoScript | kBarrier;

constexpr CommandRow kRows[] = {
    {"kv.cluster", -2, kContainer | kAdmin | kLoading | kStale, 0, 0, 0, Group::kQuorum, "1.0.0",
     "subcommand", "Commands about the cluster.", "O(1)", nullptr},
    {"kv.cluster|apply", 3, kChange, 0, 0, 0, Group::kQuorum, "1.0.0", "file",
     "Makes the cluster as the text of this YAML file says.", "O(partitions)", cluster_change},
    {"kv.cluster|help", 2, kLook, 0, 0, 0, Group::kQuorum, "1.0.0", "", "Lists the subcommands.",
     "O(1)", subcommand_help},
    {"kv.cluster|join", 3, kChange, 0, 0, 0, Group::kQuorum, "1.0.0", "name",
     "Admits a node that waits.", "O(partitions)", cluster_change},
    {"kv.cluster|leave", -2, kChange, 0, 0, 0, Group::kQuorum, "1.0.0", "[name]",
     "Lets a member hand over what it holds and depart.", "O(partitions)", cluster_change},
    {"kv.cluster|members", 2, kLook, 0, 0, 0, Group::kQuorum, "1.0.0", "",
     "The members, who waits and who has departed.", "O(members)", cluster_members},
    {"kv.cluster|placement", 3, kChange, 0, 0, 0, Group::kQuorum, "1.0.0", "version",
     "Raises the version of placement.", "O(partitions)", cluster_change},
    {"kv.cluster|plan", -4, kLook, 0, 0, 0, Group::kQuorum, "1.0.0",
     "JOIN name | LEAVE name | REMOVE name | REPLACE name by | WEIGHT name weight | "
     "APPLY file | PLACEMENT version",
     "What a change would move. Changes nothing.", "O(partitions)", cluster_plan},
    {"kv.cluster|remove", -3, kChange, 0, 0, 0, Group::kQuorum, "1.0.0", "name [FORCE]",
     "Declares a member dead: others take over what it had.", "O(partitions)", cluster_change},
    {"kv.cluster|replace", -4, kChange, 0, 0, 0, Group::kQuorum, "1.0.0", "name by [FORCE]",
     "Declares a member dead, and a node that waits takes its place.", "O(partitions)",
     cluster_change},
    {"kv.cluster|status", 2, kLook, 0, 0, 0, Group::kQuorum, "1.0.0", "",
     "The state of the cluster as this node sees it, one name:value per line.", "O(members)",
     cluster_status},
    {"kv.cluster|transfers", 2, kLook, 0, 0, 0, Group::kQuorum, "1.0.0", "",
     "The partitions that move: how much is copied, and for what each waits.", "O(partitions)",
     cluster_transfers},
    {"kv.cluster|weight", 4, kChange, 0, 0, 0, Group::kQuorum, "1.0.0", "name weight",
     "Gives a member so many shares of the partitions.", "O(partitions)", cluster_change},
};

}  // namespace

std::span<const CommandRow> membership_commands() { return kRows; }

}  // namespace kvorum::server
