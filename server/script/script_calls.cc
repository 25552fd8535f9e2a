// SPDX-License-Identifier: Apache-2.0
#include "server/script/script_calls.h"

#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "server/commands/command_table.h"

namespace kvorum::server {

using protocol::Reply;

namespace {

constexpr std::string_view kUnknown = "ERR Unknown Redis command called from script";
constexpr std::string_view kWrongArity =
    "ERR Wrong number of args calling Redis command from script";
constexpr std::string_view kNotAllowed = "ERR This Redis command is not allowed from script";
constexpr std::string_view kNoWrites = "ERR Write commands are not allowed from read-only scripts.";
constexpr std::string_view kUndeclared =
    "ERR Script attempted to access a key that it did not declare";
constexpr std::string_view kTooMuchWork =
    "ERR the script changes a large value too often: use fewer commands for this key";

constexpr size_t kSaidBytesMax = 8 * 1024 * 1024;

bool is_publish(const CommandRow& row) { return row.name == "publish" || row.name == "spublish"; }

// What needs neither a node nor a session, and messages.
bool may_run(const CommandRow& row) {
  if (row.flags & kNoScript) return false;
  if (is_publish(row)) return true;
  if (row.group == Group::kString || row.group == Group::kGeneric) return true;
  return row.name == "ping" || row.name == "echo" || row.name == "time";
}

}  // namespace

void ScriptCalls::begin(const ScriptTask& task, ScriptKeys& keys, uint64_t value_bytes_max) {
  task_ = &task;
  keys_ = &keys;
  facts_.set_call(task.now_us, value_bytes_max);
  session_.keyspace = task.keyspace;
  session_.resp = protocol::RespVersion::k2;
  session_.authenticated = true;
  said_.clear();
}

const CommandRow* ScriptCalls::admit(Words words, std::string_view* refusal) const {
  const CommandRow* row = find_command(words[0]);
  if (row != nullptr && row->flags & kContainer && words.size() > 1) {
    row = find_subcommand(*row, words[1]);
  }
  if (row == nullptr) {
    *refusal = kUnknown;
  } else if (!arity_fits(*row, words.size())) {
    *refusal = kWrongArity;
  } else if (!may_run(*row)) {
    *refusal = kNotAllowed;
  } else if (task_->read_only && row->flags & (kWrite | kMayWrite)) {
    *refusal = kNoWrites;
  } else {
    return row;
  }
  return nullptr;
}

Reply ScriptCalls::run(Words words) {
  std::string_view refusal;
  const CommandRow* const row = admit(words, &refusal);
  if (row == nullptr) return Reply::error(refusal);
  const uint64_t began_ns = facts_.counts().begin(row->number);
  Reply reply = is_publish(*row) ? publish(row->name == "spublish", words) : call(*row, words);
  facts_.counts().end(row->number, reply.is_error(), began_ns);
  return reply;
}

Reply ScriptCalls::call(const CommandRow& row, Words words) {
  plan_.reset();
  operation_ = 0;
  const uint64_t now_ms = task_->now_us / 1000;
  row.handler(CommandCall{words, row, session_, facts_, now_ms, Now{}}, plan_);
  if (plan_.again_at_us != 0) return Reply::error(kNotAllowed);
  switch (plan_.kind) {
    case Plan::Kind::kReply:
      return std::move(plan_.reply);
    case Plan::Kind::kOperations:
      return run_operations();
    case Plan::Kind::kKeyspace:
    case Plan::Kind::kEverywhere:
    case Plan::Kind::kStages:
    case Plan::Kind::kTransaction:
      break;
  }
  return Reply::error(kNotAllowed);
}

// Whoever called the script sends it, once what the script did is stored. Who will hear it is not
// known here.
Reply ScriptCalls::publish(bool is_sharded, Words words) {
  if (words[1].size() > kKeyBytesMax) return Reply::error(kChannelTooLong);
  if (said_.size() + words[1].size() + words[2].size() > kSaidBytesMax) {
    return Reply::error("ERR the script publishes too much");
  }
  put_u8(said_, is_sharded ? 1 : 0);
  put_bytes(said_, words[1]);
  put_bytes(said_, words[2]);
  return Reply::integer(0);
}

// Nothing is done where one of the keys was not declared.
Reply ScriptCalls::run_operations() {
  for (const cluster::Request& request : plan_.requests) {
    if (keys_->find(request.key.key) == nullptr) return Reply::error(kUndeclared);
  }
  if (scratch_.size() < plan_.requests.size()) scratch_.resize(plan_.requests.size());
  if (plan_.requests.size() == 1 && plan_.gather != Gather::kArray) {
    return run_operation(plan_.requests[0]);
  }
  std::vector<Reply> replies;
  replies.reserve(plan_.requests.size());
  for (const cluster::Request& request : plan_.requests) {
    replies.push_back(run_operation(request));
    if (replies.back().is_error()) return std::move(replies.back());
  }
  return gather(std::move(replies));
}

Reply ScriptCalls::run_operation(const cluster::Request& request) {
  ScriptKey& key = *keys_->find(request.key.key);
  cluster::Completion completion;
  completion.now_ms = task_->now_us / 1000;
  if (request.has_context) return Reply::error(kNotAllowed);
  if (request.kind == cluster::Request::Kind::kRead) {
    seen_.versions = key.local().visible();
    completion.object = &seen_;
  } else if (request.kind == cluster::Request::Kind::kEdit) {
    if (key.local().is_overworked()) return Reply::error(kTooMuchWork);
    const EditOutput output = key.edit(request, scratch_[operation_++]);
    if (output.verdict == EditOutput::Verdict::kReject) {
      return Reply::error_owned(std::string(output.reply_bytes));
    }
    completion.reply_code = output.reply_code;
    completion.reply_number = output.reply_number;
    completion.has_reply_bytes = output.has_reply_bytes;
    completion.reply_bytes = output.reply_bytes;
    completion.stored = output.verdict == EditOutput::Verdict::kStore;
  } else {
    return Reply::error(kNotAllowed);
  }
  return plan_.finish({completion, plan_.remembered, facts_, task_->keyspace, request.key.key});
}

Reply ScriptCalls::gather(std::vector<Reply> replies) const {
  switch (plan_.gather) {
    case Gather::kSum: {
      int64_t sum = 0;
      for (const Reply& reply : replies) sum += reply.number();
      return Reply::integer(sum);
    }
    case Gather::kSingle:
    case Gather::kAllOk:
      return Reply::ok();
    case Gather::kArray:
    case Gather::kConcatenate:
      break;
  }
  return Reply::array(std::move(replies));
}

}  // namespace kvorum::server
