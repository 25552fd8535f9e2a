// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cluster/version/context.h"
#include "server/commands/edits.h"
#include "server/commands/words.h"

namespace kvorum::server {

// KV.DEL: a tombstone beside whatever the request's context does not cover.
EditOutput edit_delete_versions(const EditInput&, std::string&) { return store_tombstone(0); }

namespace {

using protocol::Reply;

constexpr std::string_view kBadContext = "BADCONTEXT invalid or damaged context";
constexpr int64_t kTimeoutMsMax = 3'600'000;

uint8_t copies(const CommandCall& call) {
  return call.facts.view().quorum(call.session.keyspace).n;
}

// R or W: 1..n.
bool read_quorum(const CommandCall& call, std::string_view name, std::string_view word,
                 Plan& plan) {
  if (!read_integer(word, plan, &plan.remembered.number)) return false;
  if (plan.remembered.number >= 1 && plan.remembered.number <= copies(call)) return true;
  plan.fail_owned(fmt::format("ERR {} must be from 1 to {}", name, copies(call)));
  return false;
}

bool read_timeout(std::string_view word, Plan& plan, uint32_t* timeout_ms) {
  int64_t time = 0;
  if (!read_integer(word, plan, &time)) return false;
  if (time < 1 || time > kTimeoutMsMax) {
    plan.fail_owned(fmt::format("ERR TIMEOUT must be from 1 to {} milliseconds", kTimeoutMsMax));
    return false;
  }
  *timeout_ms = static_cast<uint32_t>(time);
  return true;
}

struct KvOptions {
  uint8_t r = 0, w = 0;
  uint32_t timeout_ms = 0;
  uint64_t deadline_ms = 0;
};

// Where a command's options begin, and which it takes besides TIMEOUT.
struct KvGrammar {
  size_t first;
  bool r = false, w = false, expiry = false;
};

bool read_kv_options(const CommandCall& call, const KvGrammar& grammar, Plan& plan,
                     KvOptions* options) {
  const Words words = call.words;
  for (size_t i = grammar.first; i < words.size(); i += 2) {
    if (i + 1 == words.size()) return plan.fail(protocol::kSyntaxError), false;
    const std::string_view value = words[i + 1];
    std::optional<ExpiryWord> expiry = expiry_option(words[i]);
    if (grammar.r && equals_ignoring_case(words[i], "r")) {
      if (!read_quorum(call, "R", value, plan)) return false;
      options->r = static_cast<uint8_t>(plan.remembered.number);
    } else if (grammar.w && equals_ignoring_case(words[i], "w")) {
      if (!read_quorum(call, "W", value, plan)) return false;
      options->w = static_cast<uint8_t>(plan.remembered.number);
    } else if (equals_ignoring_case(words[i], "timeout")) {
      if (!read_timeout(value, plan, &options->timeout_ms)) return false;
    } else if (expiry && grammar.expiry && options->deadline_ms == 0) {
      expiry->text = value;
      if (!read_deadline(call, *expiry, plan, &options->deadline_ms)) return false;
    } else {
      return plan.fail(protocol::kSyntaxError), false;
    }
  }
  return true;
}

Reply context_and_values(const FinishInput& input, cluster::NodeId fastest) {
  cluster::Token token;
  token.context.vector = input.completion.object->vector;
  token.fastest_node = fastest;
  std::vector<Reply> values;
  for (const cluster::Version& version : seen(input)) values.push_back(Reply::bulk(version.bytes));
  std::vector<Reply> items;
  items.push_back(
      Reply::bulk_owned(cluster::encode_token(token, input.facts.token_keys().front())));
  items.push_back(Reply::array(std::move(values)));
  return Reply::array(std::move(items));
}

Reply finish_kv_get(const FinishInput& input) {
  return context_and_values(input, input.completion.fastest);
}

void kv_get(const CommandCall& call, Plan& plan) {
  KvOptions options;
  if (!read_kv_options(call, {.first = 2, .r = true}, plan, &options)) return;
  cluster::Request& request = plan.read(call.words[1], finish_kv_get);
  request.r = options.r;
  request.timeout_ms = options.timeout_ms;
}

Reply finish_kv_write(const FinishInput& input) {
  cluster::Token token;
  if (input.completion.context) token.context = *input.completion.context;
  token.fastest_node = input.completion.service.coordinator;
  return Reply::bulk_owned(cluster::encode_token(token, input.facts.token_keys().front()));
}

// The request of a write under the context given as a word; null with the error planned.
cluster::Request* plan_kv_write(const CommandCall& call, cluster::EditCode code, Plan& plan) {
  Result<cluster::Token> token = cluster::decode_token(call.words[2], call.facts.token_keys());
  if (!token.ok()) {
    plan.fail(kBadContext);
    return nullptr;
  }
  plan.context = token.value().context;
  cluster::Request& request = plan.edit(call.words[1], code, finish_kv_write);
  request.has_context = request.wants_context = true;
  request.context = &plan.context;
  request.preferred = token.value().fastest_node;
  return &request;
}

void kv_put(const CommandCall& call, Plan& plan) {
  KvOptions options;
  if (!read_kv_options(call, {.first = 4, .w = true, .expiry = true}, plan, &options)) return;
  cluster::Request* const request = plan_kv_write(call, kEditSet, plan);
  if (!request) return;
  put_value_options(plan.argument, {options.deadline_ms, 0});
  request->argument = plan.argument;
  request->value = call.words[3];
  request->w = options.w;
  request->timeout_ms = options.timeout_ms;
}

// Without a context there is nothing that it could remove: nothing is stored.
void kv_del(const CommandCall& call, Plan& plan) {
  KvOptions options;
  if (!read_kv_options(call, {.first = 3, .w = true}, plan, &options)) return;
  if (call.words[2].empty()) return plan.answer(Reply::bulk(""));
  cluster::Request* const request = plan_kv_write(call, kEditDeleteVersions, plan);
  if (!request) return;
  request->w = options.w;
  request->timeout_ms = options.timeout_ms;
}

void kv_local(const CommandCall& call, Plan& plan) {
  plan.add(cluster::Request::Kind::kLocal, call.words[1], finish_kv_get);
}

void show_quorum(const CommandCall& call, Plan& plan) {
  const SessionState& session = call.session;
  const cluster::EffectiveQuorum quorum = call.facts.view().quorum(session.keyspace);
  std::vector<Reply> items;
  items.push_back(Reply::bulk("R"));
  items.push_back(Reply::integer(session.r ? std::min(session.r, quorum.n) : quorum.r));
  items.push_back(Reply::bulk("W"));
  items.push_back(Reply::integer(session.w ? std::min(session.w, quorum.n) : quorum.w));
  plan.answer(Reply::array(std::move(items)));
}

void kv_quorum(const CommandCall& call, Plan& plan) {
  const Words words = call.words;
  if (words.size() == 1) return show_quorum(call, plan);
  uint8_t r = call.session.r, w = call.session.w;
  for (size_t i = 1; i < words.size(); ++i) {
    const bool is_r = equals_ignoring_case(words[i], "r");
    if (equals_ignoring_case(words[i], "reset")) {
      r = w = 0;
    } else if ((is_r || equals_ignoring_case(words[i], "w")) && i + 1 < words.size()) {
      if (!read_quorum(call, is_r ? "R" : "W", words[++i], plan)) return;
      (is_r ? r : w) = static_cast<uint8_t>(plan.remembered.number);
    } else {
      return plan.fail(protocol::kSyntaxError);
    }
  }
  call.session.r = r;
  call.session.w = w;
  plan.answer(Reply::ok());
}

void kv_causal(const CommandCall& call, Plan& plan) {
  const bool on = equals_ignoring_case(call.words[1], "on");
  if (!on && !equals_ignoring_case(call.words[1], "off")) return plan.fail(protocol::kSyntaxError);
  call.session.causal = on;
  plan.answer(Reply::ok());
}

constexpr CommandRow kRows[] = {
    {"kv.causal", 2, kFast | kLoading | kStale, 0, 0, 0, Group::kQuorum, "1.0.0", "ON | OFF",
     "Lets this connection remember the contexts that it reads, so that its GET and SET of a key "
     "are a causal read and write without tokens.",
     "O(1)", kv_causal},
    {"kv.del", -3, kWrite | kFast, 1, 1, 1, Group::kQuorum, "1.0.0",
     "key context [W w] [TIMEOUT milliseconds]",
     "Deletes the versions that the context covers, and answers the new context. The empty context "
     "covers nothing.",
     "O(1)", kv_del},
    {"kv.get", -2, kReadonly | kFast, 1, 1, 1, Group::kQuorum, "1.0.0",
     "key [R r] [TIMEOUT milliseconds]",
     "The context of a key and the array of its values, newest first.", "O(N) for N siblings",
     kv_get},
    {"kv.local", 2, kReadonly | kFast, 1, 1, 1, Group::kQuorum, "1.0.0", "key",
     "Like KV.GET, of this node's own copy, without asking another node.", "O(N) for N siblings",
     kv_local},
    {"kv.put", -4, kWrite | kDenyOom | kFast, 1, 1, 1, Group::kQuorum, "1.0.0",
     "key context value [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT "
     "unix-time-milliseconds] [W w] [TIMEOUT milliseconds]",
     "Writes a value in place of the versions that the context covers, beside all others, and "
     "answers the new context.",
     "O(N) for N siblings", kv_put},
    {"kv.quorum", -1, kFast | kLoading | kStale, 0, 0, 0, Group::kQuorum, "1.0.0",
     "[R r] [W w] [RESET]",
     "Shows or sets from how many replicas this connection's operations need an answer.", "O(1)",
     kv_quorum},
};

}  // namespace

std::span<const CommandRow> quorum_commands() { return kRows; }

}  // namespace kvorum::server
