// SPDX-License-Identifier: Apache-2.0
#include "server/commands/words.h"

#include <limits>

namespace kvorum::server {

using protocol::Reply;

std::optional<ExpiryWord> expiry_option(std::string_view option) {
  if (equals_ignoring_case(option, "ex")) return ExpiryWord{true, true, {}};
  if (equals_ignoring_case(option, "px")) return ExpiryWord{true, false, {}};
  if (equals_ignoring_case(option, "exat")) return ExpiryWord{false, true, {}};
  if (equals_ignoring_case(option, "pxat")) return ExpiryWord{false, false, {}};
  return std::nullopt;
}

bool read_deadline(const CommandCall& call, const ExpiryWord& word, Plan& plan,
                   uint64_t* deadline_ms) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  int64_t time = 0;
  if (!read_integer(word.text, plan, &time)) return false;
  const int64_t now_ms = static_cast<int64_t>(call.now_ms);
  const auto too_large = [&] {
    return (word.seconds && time > kMax / 1000) ||
           (word.relative && (word.seconds ? time * 1000 : time) > kMax - now_ms);
  };
  if (time <= 0 || too_large()) {
    plan.fail_owned(protocol::invalid_expire_time(call.row.name));
    return false;
  }
  if (word.seconds) time *= 1000;
  *deadline_ms = static_cast<uint64_t>(word.relative ? time + now_ms : time);
  return true;
}

bool is_lww(NodeFacts& facts, uint8_t keyspace) {
  return facts.view().keyspaces[keyspace].conflicts == cluster::ConflictPolicy::kLww;
}

Versions seen(const FinishInput& input) {
  Versions versions = cluster::visible_versions(*input.completion.object, input.completion.now_ms);
  if (versions.size() > 1 && is_lww(input.facts, input.keyspace)) {
    while (versions.size() > 1) versions.pop_back();
  }
  return versions;
}

Reply values_reply(const Versions& versions) {
  if (versions.empty()) return Reply::nil();
  if (versions.size() == 1) return Reply::bulk(versions[0].bytes);
  std::vector<Reply> items;
  items.reserve(versions.size());
  for (const cluster::Version& version : versions) items.push_back(Reply::bulk(version.bytes));
  return Reply::array(std::move(items));
}

Reply finish_ok(const FinishInput&) { return Reply::ok(); }

Reply finish_number(const FinishInput& input) {
  return Reply::integer(input.completion.reply_number);
}

Reply finish_old_value(const FinishInput& input) {
  const cluster::Completion& completion = input.completion;
  return completion.has_reply_bytes ? Reply::bulk(completion.reply_bytes) : Reply::nil();
}

void do_everywhere(std::function<void(NodeFacts& facts)> act, Plan& plan) {
  plan.everywhere(
      [act = std::move(act)](NodeFacts& facts) {
        act(facts);
        return std::string();
      },
      [](std::string) { return Reply::ok(); });
}

bool read_integer(std::string_view word, Plan& plan, int64_t* value) {
  const std::optional<int64_t> parsed = protocol::parse_int64(word);
  if (!parsed) {
    plan.fail(protocol::kNotAnInteger);
    return false;
  }
  *value = *parsed;
  return true;
}

bool read_database(std::string_view word, Plan& plan, uint8_t* keyspace) {
  int64_t index = 0;
  if (!read_integer(word, plan, &index)) return false;
  if (index < std::numeric_limits<int32_t>::min() || index > std::numeric_limits<int32_t>::max()) {
    plan.fail("ERR value is out of range, value must between -2147483648 and 2147483647");
    return false;
  }
  if (index < 0 || index >= kKeyspacesMax) return plan.fail(protocol::kDbOutOfRange), false;
  *keyspace = static_cast<uint8_t>(index);
  return true;
}

}  // namespace kvorum::server
