// SPDX-License-Identifier: Apache-2.0

#include "server/commands/password.h"
#include "server/commands/versions.h"
#include "server/commands/words.h"

namespace kvorum::server {
namespace {

using protocol::Reply;
using protocol::RespVersion;

void ping(const CommandCall& call, Plan& plan) {
  if (call.words.size() > 2) {
    return plan.fail_owned(protocol::wrong_number_of_arguments(call.row.name));
  }
  if (call.session.only_hears()) {
    const std::string_view said = call.words.size() == 2 ? call.words[1] : std::string_view();
    return plan.answer(Reply::array({Reply::bulk("pong"), Reply::bulk(said)}));
  }
  plan.answer(call.words.size() == 2 ? Reply::bulk(call.words[1]) : Reply::simple("PONG"));
}

void echo(const CommandCall& call, Plan& plan) { plan.answer(Reply::bulk(call.words[1])); }

void quit(const CommandCall& call, Plan& plan) {
  call.session.closing = true;
  plan.answer(Reply::ok());
}

void select(const CommandCall& call, Plan& plan) {
  if (read_database(call.words[1], plan, &call.session.keyspace)) plan.answer(Reply::ok());
}

// Without a password the default user takes any.
bool log_in(const CommandCall& call, std::string_view user, std::string_view password) {
  const std::span<const std::string> passwords = call.facts.passwords();
  const bool right =
      user == kDefaultUser && (passwords.empty() || is_password(password, passwords));
  if (right) call.session.authenticated = true;
  if (!right) call.facts.login_failed(call.session.peer_address);
  return right;
}

void auth(const CommandCall& call, Plan& plan) {
  if (call.words.size() > 3) return plan.fail(protocol::kSyntaxError);
  const bool names_user = call.words.size() == 3;
  if (!names_user && call.facts.passwords().empty()) {
    return plan.fail(protocol::kAuthWithoutPassword);
  }
  if (must_wait_to_log_in(call.session, call.facts, call.now, plan)) return;
  const std::string_view user = names_user ? call.words[1] : kDefaultUser;
  if (!log_in(call, user, call.words.back())) return plan.fail(protocol::kWrongPass);
  plan.answer(Reply::ok());
}

Reply greeting(const SessionState& session, Partitioner partitioner) {
  std::vector<Reply> fields;
  add_field(fields, "server", Reply::bulk("redis"));
  add_field(fields, "version", Reply::bulk(kRedisVersion));
  add_field(fields, "proto", Reply::integer(static_cast<int64_t>(session.resp)));
  add_field(fields, "id", Reply::integer(static_cast<int64_t>(session.id)));
  const bool has_slots = partitioner == Partitioner::kSlots;
  add_field(fields, "mode", Reply::bulk(has_slots ? "cluster" : "standalone"));
  add_field(fields, "role", Reply::bulk("master"));
  add_field(fields, "modules", Reply::array({}));
  return Reply::map(std::move(fields));
}

struct HelloOptions {
  int64_t version = 0;  // 0: as it is
  bool has_auth = false, has_name = false;
  std::string_view user, password, name;
};

bool read_hello(Words words, Plan& plan, HelloOptions* options) {
  if (words.size() == 1) return true;
  const std::optional<int64_t> version = protocol::parse_int64(words[1]);
  if (!version) return plan.fail(protocol::kProtoNotAnInteger), false;
  if (*version != 2 && *version != 3) return plan.fail(protocol::kNoProto), false;
  options->version = *version;
  for (size_t i = 2; i < words.size(); ++i) {
    const size_t more = words.size() - i - 1;
    if (equals_ignoring_case(words[i], "auth") && more >= 2) {
      options->has_auth = true;
      options->user = words[i + 1];
      options->password = words[i + 2];
      i += 2;
    } else if (equals_ignoring_case(words[i], "setname") && more >= 1) {
      options->has_name = true;
      options->name = words[++i];
      if (!is_client_name(options->name)) return plan.fail(protocol::kBadClientName), false;
    } else {
      plan.fail_owned(std::string("ERR Syntax error in HELLO option '").append(words[i]) + "'");
      return false;
    }
  }
  return true;
}

void hello(const CommandCall& call, Plan& plan) {
  HelloOptions options;
  if (!read_hello(call.words, plan, &options)) return;
  if (options.has_auth && must_wait_to_log_in(call.session, call.facts, call.now, plan)) return;
  if (options.has_auth && !log_in(call, options.user, options.password)) {
    return plan.fail(protocol::kWrongPass);
  }
  if (!call.session.authenticated) return plan.fail(protocol::kNoAuthHello);
  if (options.has_name) call.session.name = options.name;
  if (options.version) call.session.resp = static_cast<RespVersion>(options.version);
  plan.answer(greeting(call.session, call.facts.view().partitioner));
}

void reset(const CommandCall& call, Plan& plan) {
  SessionState& session = call.session;
  call.facts.pub_sub().unsubscribe_all(session);
  session.keyspace = 0;
  session.resp = RespVersion::k2;
  session.authenticated = call.facts.passwords().empty();
  session.name.clear();
  session.r = session.w = 0;
  session.causal = session.no_evict = session.no_touch = false;
  session.reply_mode = ReplyMode::kOn;
  plan.answer(Reply::simple("RESET"));
  plan.verb = TransactionVerb::kForget;
}

constexpr uint32_t kAlways = kNoScript | kLoading | kStale | kFast | kNoAuth;

constexpr CommandRow kRows[] = {
    {"auth", -2, kAlways, 0, 0, 0, Group::kConnection, "1.0.0", "[username] password",
     "Gives the password. The only user is `default`.", "O(1)", auth},
    {"echo", 2, kLoading | kStale | kFast, 0, 0, 0, Group::kConnection, "1.0.0", "message",
     "Answers the message.", "O(1)", echo},
    {"hello", -1, kAlways, 0, 0, 0, Group::kConnection, "6.0.0",
     "[protover [AUTH username password] [SETNAME clientname]]",
     "Greets the server, and chooses RESP2 or RESP3.", "O(1)", hello},
    {"ping", -1, kFast | kLoading | kStale | kSubscribed, 0, 0, 0, Group::kConnection, "1.0.0",
     "[message]", "Answers PONG, or the message.", "O(1)", ping, &hint::kTellsShards},
    {"quit", -1, kAlways | kUnqueued | kSubscribed, 0, 0, 0, Group::kConnection, "1.0.0", "",
     "Closes the connection after the replies.", "O(1)", quit},
    {"reset", 1, kAlways | kUnqueued | kSubscribed, 0, 0, 0, Group::kConnection, "6.2.0", "",
     "Makes the connection as if new.", "O(1)", reset},
    {"select", 2, kLoading | kStale | kFast, 0, 0, 0, Group::kConnection, "1.0.0", "index",
     "Changes to another database: a keyspace with its own policy.", "O(1)", select},
};

}  // namespace

bool is_client_name(std::string_view name) {
  for (char letter : name) {
    if (letter < '!' || letter > '~') return false;
  }
  return true;
}

std::span<const CommandRow> connection_commands() { return kRows; }

}  // namespace kvorum::server
