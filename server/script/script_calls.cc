// SPDX-License-Identifier: Apache-2.0
#include "server/script/script_calls.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "server/commands/command_table.h"
#include "server/commands/words.h"
#include "server/tracking/monitor_line.h"

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
  return row.name == "ping" || row.name == "echo" || row.name == "time" || row.name == "select";
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
  has_written_ = false;
}

// Why the command may not run; empty where it may.
std::string_view ScriptCalls::refusal(const CommandRow& row, Words words) const {
  if (!arity_fits(row, words.size())) return kWrongArity;
  if (!may_run(row) && !(task_->may_debug && row.name == "debug")) return kNotAllowed;
  if (task_->read_only && row.flags & (kWrite | kMayWrite)) return kNoWrites;
  if (task_->denies_growth && !has_written_ && row.flags & kDenyOom) return protocol::kOutOfMemory;
  return {};
}

Reply ScriptCalls::run(Words words) {
  const CommandRow* row = find_command(words[0]);
  if (row != nullptr && row->flags & kContainer && words.size() > 1) {
    row = find_subcommand(*row, words[1]);
  }
  if (row == nullptr) return Reply::error(kUnknown);
  if (const std::string_view problem = refusal(*row, words); !problem.empty()) {
    facts_.counts().reject(row->number);
    return Reply::error(problem);
  }
  if (task_->is_monitored) [[unlikely]]
    show(*row, words);
  const uint64_t began_ns = facts_.counts().begin(row->number);
  Reply reply = is_publish(*row)        ? publish(row->name == "spublish", words)
                : row->name == "select" ? select(words)
                                        : call(*row, words);
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
    case Plan::Kind::kStages:
      return run_stages();
    case Plan::Kind::kKeyspace:
    case Plan::Kind::kEverywhere:
    case Plan::Kind::kTransaction:
      break;
  }
  return Reply::error(kNotAllowed);
}

void ScriptCalls::show(const CommandRow& row, Words words) {
  if (!is_shown(row) || said_.size() > kSaidBytesMax) return;
  put_u8(said_, static_cast<uint8_t>(Said::kMonitorLine));
  put_bytes(said_, monitor_line({&row, words, session_.keyspace, "lua"}, task_->now_us));
  put_bytes(said_, {});
}

// Whoever called the script sends it, once what the script did is stored. Who will hear it is not
// known here.
Reply ScriptCalls::publish(bool is_sharded, Words words) {
  if (words[1].size() > kKeyBytesMax) return Reply::error(kChannelTooLong);
  if (said_.size() + words[1].size() + words[2].size() > kSaidBytesMax) {
    return Reply::error("ERR the script publishes too much");
  }
  put_u8(said_, static_cast<uint8_t>(is_sharded ? Said::kShardMessage : Said::kMessage));
  put_bytes(said_, words[1]);
  put_bytes(said_, words[2]);
  return Reply::integer(0);
}

// The declared keys are of the caller's database: in another one there are none.
Reply ScriptCalls::select(Words words) {
  plan_.reset();
  return read_database(words[1], plan_, &session_.keyspace) ? Reply::ok() : std::move(plan_.reply);
}

bool ScriptCalls::are_declared() const {
  return session_.keyspace == task_->keyspace &&
         std::all_of(plan_.requests.begin(), plan_.requests.end(), [this](const auto& request) {
           return keys_->find(request.key.key) != nullptr;
         });
}

// Nothing is done where one of the keys was not declared.
Reply ScriptCalls::run_operations() {
  if (!are_declared()) return Reply::error(kUndeclared);
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
    const std::string_view refusal = run_edit(key, request, &completion);
    if (!refusal.empty()) return Reply::error_owned(std::string(refusal));
  } else {
    return Reply::error(kNotAllowed);
  }
  return plan_.finish({completion, plan_.remembered, facts_, task_->keyspace, request.key.key});
}

// Why it is not done; empty where it is.
std::string_view ScriptCalls::run_edit(ScriptKey& key, const cluster::Request& request,
                                       cluster::Completion* completion) {
  if (key.local().is_overworked()) return kTooMuchWork;
  const EditOutput output = key.edit(request, scratch_[operation_++]);
  if (output.verdict == EditOutput::Verdict::kReject) return output.reply_bytes;
  completion->reply_code = output.reply_code;
  completion->reply_number = output.reply_number;
  completion->has_reply_bytes = output.has_reply_bytes;
  completion->reply_bytes = output.reply_bytes;
  completion->stored = output.verdict == EditOutput::Verdict::kStore;
  has_written_ = has_written_ || completion->stored;
  return {};
}

// One stage after the other: nobody comes between.
Reply ScriptCalls::run_stages() {
  const NextStage next = plan_.next_stage;
  stage_words_.swap(plan_.stage_words);
  std::unique_ptr<StageState> state;
  const uint64_t now_ms = task_->now_us / 1000;
  for (done_.clear();;) {
    plan_.reset();
    plan_.other_keyspace = -1;
    next({stage_words_, state, done_, facts_, session_.keyspace, session_.resp, now_ms}, plan_);
    if (plan_.kind == Plan::Kind::kReply) return std::move(plan_.reply);
    const bool elsewhere =
        plan_.other_keyspace >= 0 && plan_.other_keyspace != int{session_.keyspace};
    if (plan_.kind != Plan::Kind::kOperations) return Reply::error(kNotAllowed);
    if (elsewhere || !are_declared()) return Reply::error(kUndeclared);
    if (scratch_.size() < plan_.requests.size()) scratch_.resize(plan_.requests.size());
    operation_ = 0;
    std::vector<StageResult> results(plan_.requests.size());
    for (size_t at = 0; at < results.size(); ++at) {
      const std::string_view refusal = run_stage_operation(plan_.requests[at], &results[at]);
      if (!refusal.empty()) return Reply::error_owned(std::string(refusal));
    }
    done_.push_back(std::move(results));
  }
}

std::string_view ScriptCalls::run_stage_operation(const cluster::Request& request,
                                                  StageResult* result) {
  ScriptKey& key = *keys_->find(request.key.key);
  if (request.kind == cluster::Request::Kind::kRead) {
    const LocalKey::Visible& versions = key.local().visible();
    result->siblings = versions.size();
    if (versions.empty()) return {};
    result->flags = versions[0].flags;
    result->deadline_ms = versions[0].deadline_ms;
    result->copy = versions[0].bytes;
    return {};
  }
  if (request.kind != cluster::Request::Kind::kEdit) return kNotAllowed;
  cluster::Request edit = request;
  // What was read before is what is there still.
  if (edit.edit == kEditDeleteVersions) edit.edit = kEditRemove;
  cluster::Completion completion;
  const std::string_view refusal = run_edit(key, edit, &completion);
  if (!refusal.empty()) return refusal;
  result->reply_code = completion.reply_code;
  result->reply_number = completion.reply_number;
  result->copy = completion.reply_bytes;
  return {};
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
