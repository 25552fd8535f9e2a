// SPDX-License-Identifier: Apache-2.0
// SUBSCRIBE and its like, PUBLISH, PUBSUB. A confirmation for each name is part of the reply: in
// RESP3 each is a push of its own.
#include "protocol/glob.h"
#include "server/commands/help.h"

namespace kvorum::server {
namespace {

using protocol::Reply;
using Kind = SubscriptionKind;

bool fit(Words names, Plan& plan) {
  for (const std::string_view name : names) {
    if (name.size() > kKeyBytesMax) return plan.fail(kChannelTooLong), false;
  }
  return true;
}

// As Redis has it: channels and patterns are counted together.
int64_t count_of(const SessionState& session, Kind kind) {
  const SubscriptionCounts& counts = session.subscriptions;
  if (kind == Kind::kShardChannel) return counts.shard_channels;
  return int64_t{counts.channels} + counts.patterns;
}

void confirm_begin(const CommandCall& call, std::string& out) {
  protocol::append_push_header(out, call.session.resp, 3);
  protocol::append_bulk(out, call.row.name);
}

void confirm(const CommandCall& call, Kind kind, std::string_view name, std::string& out) {
  confirm_begin(call, out);
  protocol::append_bulk(out, name);
  protocol::append_integer(out, count_of(call.session, kind));
}

void subscribe_to(const CommandCall& call, Kind kind, Plan& plan) {
  const Words names = call.words.subspan(1);
  if (!fit(names, plan)) return;
  std::string out;
  for (const std::string_view name : names) {
    call.facts.pub_sub().subscribe(call.session, kind, name);
    confirm(call, kind, name, out);
  }
  plan.is_push = true;
  plan.answer(Reply::preformatted_owned(std::move(out)));
}

void unsubscribe_from(const CommandCall& call, Kind kind, Plan& plan) {
  PubSubDesk& desk = call.facts.pub_sub();
  std::string out;
  const auto leave = [&](std::string_view name) {
    desk.unsubscribe(call.session, kind, name);
    confirm(call, kind, name, out);
  };
  if (call.words.size() > 1) {
    for (const std::string_view name : call.words.subspan(1)) leave(name);
  } else {
    for (const std::string& name : desk.subscribed(call.session, kind)) leave(name);
  }
  if (out.empty()) {
    confirm_begin(call, out);
    protocol::append_nil(out, call.session.resp);
    protocol::append_integer(out, count_of(call.session, kind));
  }
  plan.is_push = true;
  plan.answer(Reply::preformatted_owned(std::move(out)));
}

void subscribe(const CommandCall& call, Plan& plan) { subscribe_to(call, Kind::kChannel, plan); }
void psubscribe(const CommandCall& call, Plan& plan) { subscribe_to(call, Kind::kPattern, plan); }
void ssubscribe(const CommandCall& call, Plan& plan) {
  subscribe_to(call, Kind::kShardChannel, plan);
}
void unsubscribe(const CommandCall& call, Plan& plan) {
  unsubscribe_from(call, Kind::kChannel, plan);
}
void punsubscribe(const CommandCall& call, Plan& plan) {
  unsubscribe_from(call, Kind::kPattern, plan);
}
void sunsubscribe(const CommandCall& call, Plan& plan) {
  unsubscribe_from(call, Kind::kShardChannel, plan);
}

void publish_as(const CommandCall& call, bool is_sharded, Plan& plan) {
  if (!fit(call.words.subspan(1, 1), plan)) return;
  const Message message{is_sharded, call.words[1], call.words[2]};
  const uint64_t heard = call.facts.pub_sub().publish(&call.session, message, call.now.steady_us);
  plan.answer(Reply::integer(static_cast<int64_t>(heard)));
}

void publish(const CommandCall& call, Plan& plan) { publish_as(call, false, plan); }
void spublish(const CommandCall& call, Plan& plan) { publish_as(call, true, plan); }

void list_names(const CommandCall& call, Kind kind, Plan& plan) {
  if (call.words.size() > 3) {
    return plan.fail_owned(protocol::bad_subcommand(call.words[1], "PUBSUB"));
  }
  const bool all = call.words.size() == 2;
  std::vector<Reply> found;
  for (std::string& name : call.facts.pub_sub().names(kind)) {
    if (!all && !protocol::glob_matches(call.words[2], name)) continue;
    found.push_back(Reply::bulk_owned(std::move(name)));
  }
  plan.answer(Reply::array(std::move(found)));
}

void count_subscribers(const CommandCall& call, Kind kind, Plan& plan) {
  std::vector<Reply> items;
  for (const std::string_view name : call.words.subspan(2)) {
    items.push_back(Reply::bulk(name));
    items.push_back(
        Reply::integer(static_cast<int64_t>(call.facts.pub_sub().subscribers(kind, name))));
  }
  plan.answer(Reply::array(std::move(items)));
}

void channels(const CommandCall& call, Plan& plan) { list_names(call, Kind::kChannel, plan); }
void shard_channels(const CommandCall& call, Plan& plan) {
  list_names(call, Kind::kShardChannel, plan);
}
void numsub(const CommandCall& call, Plan& plan) { count_subscribers(call, Kind::kChannel, plan); }
void shard_numsub(const CommandCall& call, Plan& plan) {
  count_subscribers(call, Kind::kShardChannel, plan);
}
void numpat(const CommandCall& call, Plan& plan) {
  plan.answer(
      Reply::integer(static_cast<int64_t>(call.facts.pub_sub().name_count(Kind::kPattern))));
}

constexpr uint32_t kHears = kPubSub | kNoScript | kLoading | kStale | kSubscribed;
// What the connection wrote before is there for who hears the message.
constexpr uint32_t kSays = kPubSub | kLoading | kStale | kFast | kBarrier | kMayWrite;
constexpr uint32_t kAsks = kPubSub | kLoading | kStale;

constexpr RowHints kNoKeys{.keys = "not_key"};

constexpr CommandRow kRows[] = {
    {"psubscribe", -2, kHears, 0, 0, 0, Group::kPubSub, "2.0.0", "pattern [pattern ...]",
     "Hears messages of channels whose names match, from any node.",
     "O(N) for N patterns of the connection", psubscribe},
    {"publish", 3, kSays, 0, 0, 0, Group::kPubSub, "2.0.0", "channel message",
     "Sends a message to whoever hears the channel, at every node that is linked, at most once. "
     "The reply counts those of the node that was asked, as Redis Cluster does.",
     "O(N+M) for N subscribers of the channel and M patterns", publish},
    {"pubsub", -2, kContainer | kAsks, 0, 0, 0, Group::kPubSub, "2.8.0", "subcommand",
     "Tells of the subscribers of this node.", "O(1)", nullptr},
    {"pubsub|channels", -2, kAsks, 0, 0, 0, Group::kPubSub, "2.8.0", "[pattern]",
     "The channels of this node that somebody is subscribed to, in order.", "O(N) for N channels",
     channels},
    {"pubsub|help", 2, kLoading | kStale, 0, 0, 0, Group::kPubSub, "6.2.0", "",
     "Lists the subcommands.", "O(1)", subcommand_help},
    {"pubsub|numpat", 2, kAsks, 0, 0, 0, Group::kPubSub, "2.8.0", "",
     "How many patterns somebody of this node is subscribed to.", "O(1)", numpat},
    {"pubsub|numsub", -2, kAsks, 0, 0, 0, Group::kPubSub, "2.8.0", "[channel [channel ...]]",
     "How many clients of this node are subscribed to each channel.", "O(N) for N channels",
     numsub},
    {"pubsub|shardchannels", -2, kAsks, 0, 0, 0, Group::kPubSub, "7.0.0", "[pattern]",
     "The shard channels of this node that somebody is subscribed to, in order.",
     "O(N) for N channels", shard_channels},
    {"pubsub|shardnumsub", -2, kAsks, 0, 0, 0, Group::kPubSub, "7.0.0",
     "[shardchannel [shardchannel ...]]",
     "How many clients of this node are subscribed to each shard channel.", "O(N) for N channels",
     shard_numsub},
    {"punsubscribe", -1, kHears, 0, 0, 0, Group::kPubSub, "2.0.0", "[pattern [pattern ...]]",
     "Hears these patterns no more, or none at all.", "O(N) for N patterns", punsubscribe},
    {"spublish", 3, kSays, 1, 1, 1, Group::kPubSub, "7.0.0", "shardchannel message",
     "As PUBLISH, to whoever hears the shard channel. Any node takes it, and it reaches all.",
     "O(N) for N subscribers of the channel", spublish, &kNoKeys},
    {"ssubscribe", -2, kHears, 1, -1, 1, Group::kPubSub, "7.0.0", "shardchannel [shardchannel ...]",
     "Hears messages of shard channels, which are names apart. Any node takes it.",
     "O(N) for N channels", ssubscribe, &kNoKeys},
    {"subscribe", -2, kHears, 0, 0, 0, Group::kPubSub, "2.0.0", "channel [channel ...]",
     "Hears messages of channels, from any node.", "O(N) for N channels", subscribe},
    {"sunsubscribe", -1, kHears, 1, -1, 1, Group::kPubSub, "7.0.0",
     "[shardchannel [shardchannel ...]]", "Hears these shard channels no more, or none at all.",
     "O(N) for N channels", sunsubscribe, &kNoKeys},
    {"unsubscribe", -1, kHears, 0, 0, 0, Group::kPubSub, "2.0.0", "[channel [channel ...]]",
     "Hears these channels no more, or none at all.", "O(N) for N channels", unsubscribe},
};

}  // namespace

std::span<const CommandRow> pub_sub_commands() { return kRows; }

}  // namespace kvorum::server
