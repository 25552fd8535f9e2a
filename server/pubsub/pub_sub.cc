// SPDX-License-Identifier: Apache-2.0
#include "server/pubsub/pub_sub.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/give_back.h"
#include "protocol/glob.h"

namespace kvorum::server {
namespace {

constexpr SubscriptionKind kKinds[] = {SubscriptionKind::kChannel, SubscriptionKind::kPattern,
                                       SubscriptionKind::kShardChannel};

void add(std::atomic<uint64_t>& counter, uint64_t count) {
  counter.fetch_add(count, std::memory_order_relaxed);
}

}  // namespace

PubSub::PubSub(ClientTable& clients, const Options& options)
    : clients_(clients),
      hub_(options.hub != nullptr ? *options.hub : own_hub_),
      reactor_(options.hub != nullptr ? options.reactor : 0),
      limits_(options.limits),
      assembled_held_(clients.in_flight(), HeldFor::kPeersIn) {}

// ---- who hears what

// The session's counts, and whether it counts as a subscriber of the node.
void PubSub::count(ClientState& client) const {
  const auto size = [&](SubscriptionKind kind) {
    return static_cast<uint32_t>(client.subscriptions->of(kind).size());
  };
  SubscriptionCounts& counts = client.session.subscriptions;
  const bool before = counts.any();
  counts = {size(SubscriptionKind::kChannel), size(SubscriptionKind::kPattern),
            size(SubscriptionKind::kShardChannel)};
  if (before == counts.any()) return;
  before ? hub_.clients.fetch_sub(1) : hub_.clients.fetch_add(1);
}

void PubSub::subscribe(SessionState& session, SubscriptionKind kind, std::string_view name) {
  ClientState& client = clients_.of(session);
  if (!client.subscriptions) client.subscriptions = std::make_unique<Subscriptions>();
  if (!client.subscriptions->of(kind).emplace(name).second) return;
  switch (kind) {
    case SubscriptionKind::kChannel:
      channels_[std::string(name)].push_back(&client);
      break;
    case SubscriptionKind::kPattern:
      patterns_[std::string(name)].push_back(&client);
      break;
    case SubscriptionKind::kShardChannel:
      shard_channels_[std::string(name)].push_back(&client);
      break;
  }
  ++subscriptions_;
  hub_.add(kind, name, reactor_);
  count(client);
}

// From the tables; the client's own set still has it.
void PubSub::forget_name(ClientState& client, SubscriptionKind kind, std::string_view name) {
  const auto take_out = [&](auto& table) {
    const auto found = table.find(name);
    KVORUM_CHECK(found != table.end());
    Clients& clients = found->second;
    const auto place = std::find(clients.begin(), clients.end(), &client);
    KVORUM_CHECK(place != clients.end());
    clients.erase(place);
    if (clients.empty()) table.erase(found);
  };
  switch (kind) {
    case SubscriptionKind::kChannel:
      take_out(channels_);
      break;
    case SubscriptionKind::kPattern:
      take_out(patterns_);
      break;
    case SubscriptionKind::kShardChannel:
      take_out(shard_channels_);
      break;
  }
  --subscriptions_;
  hub_.remove(kind, name, reactor_);
}

void PubSub::unsubscribe(SessionState& session, SubscriptionKind kind, std::string_view name) {
  ClientState& client = clients_.of(session);
  if (!client.subscriptions) return;
  auto& names = client.subscriptions->of(kind);
  const auto found = names.find(name);
  if (found == names.end()) return;
  forget_name(client, kind, *found);
  names.erase(found);
  count(client);
}

void PubSub::unsubscribe_all(SessionState& session) { remove(clients_.of(session)); }

void PubSub::remove(ClientState& client) {
  if (!client.subscriptions) return;
  for (const SubscriptionKind kind : kKinds) {
    for (const std::string& name : client.subscriptions->of(kind)) forget_name(client, kind, name);
    client.subscriptions->of(kind).clear();
  }
  count(client);
}

std::vector<std::string> PubSub::subscribed(const SessionState& session,
                                            SubscriptionKind kind) const {
  const ClientState& client = clients_.of(session);
  if (!client.subscriptions) return {};
  const auto& names = client.subscriptions->of(kind);
  return {names.begin(), names.end()};
}

// ---- messages

uint64_t PubSub::publish(const SessionState* from, const Message& message, uint64_t now_us) {
  add(hub_.counters.published, 1);
  from_ = from;
  uint64_t heard = deliver(message, now_us);
  from_ = nullptr;
  heard += post_to_others(message);
  if (messenger_ == nullptr || !messenger_->has_peers()) return heard;
  if (const size_t missed = messenger_->send_to_peers(message); missed != 0) note_dropped(missed);
  return heard;
}

// ---- events of keys

bool PubSub::set_key_events(std::string_view letters) {
  const std::optional<EventLetters> read = read_event_letters(letters);
  if (read) hub_.event_letters.store(*read, std::memory_order_relaxed);
  return read.has_value();
}

std::string PubSub::key_events() const {
  return event_letters_text(hub_.event_letters.load(std::memory_order_relaxed));
}

void PubSub::note_done(const Call& call, const cluster::Completion& completion) {
  if (!call.change.in_reply) return note_change(call.keyspace, call.key, call.change);
  const auto events = static_cast<KeyEvents>(completion.reply_number);
  for (int event = 1; event <= static_cast<int>(KeyEvent::kEvicted); ++event) {
    const auto one = static_cast<KeyEvent>(event);
    if ((events & KeyChange::bit(one)) != 0) note_change(call.keyspace, call.key, {one});
  }
}

void PubSub::publish_due(uint64_t now_us) {
  for (const Soon& soon : std::exchange(soon_, {})) {
    publish(nullptr, {soon.is_sharded, soon.channel, soon.payload}, now_us);
  }
  std::vector<Changed> changes = std::exchange(changes_, {});
  for (const Changed& changed : changes) {
    publish_event(changed, changed.change.event, now_us);
    if (changed.change.sets_deadline) publish_event(changed, KeyEvent::kExpire, now_us);
  }
  changes.clear();
  if (changes_.empty()) changes_.swap(changes);  // its memory
}

void PubSub::publish_event(const Changed& changed, KeyEvent event, uint64_t now_us) {
  const EventLetters letters = hub_.event_letters.load(std::memory_order_relaxed);
  if (!asks_for(letters, event)) return;
  const std::string_view name = name_of(event);
  if (on_key_channel(letters)) {
    const std::string channel = fmt::format("__keyspace@{}__:{}", changed.keyspace, changed.key);
    publish(nullptr, {false, channel, name}, now_us);
  }
  if (on_event_channel(letters)) {
    const std::string channel = fmt::format("__keyevent@{}__:{}", changed.keyspace, name);
    publish(nullptr, {false, channel, changed.key}, now_us);
  }
}

// ---- from elsewhere

bool PubSub::on_frame(cluster::LinkIndex from, const cluster::Frame& frame, uint64_t now_us) {
  using Result = MessageAssembler::Result;
  Message message;
  const Result result = assembler_.on_piece(from, frame, &message);
  assembled_held_.set(assembler_.held_bytes());
  if (result != Result::kWhole) return result == Result::kMore;
  add(hub_.counters.from_peers, 1);
  deliver(message, now_us);
  post_to_others(message);
  return true;
}

void PubSub::forget_link(cluster::LinkIndex from) {
  assembler_.forget(from);
  assembled_held_.set(assembler_.held_bytes());
}

void PubSub::note_dropped(uint64_t count) { add(hub_.counters.dropped_out, count); }

void PubSub::take_mail(uint64_t now_us) {
  hub_.take(reactor_, &mail_);
  for (const std::shared_ptr<const KeptMessage>& message : mail_) deliver(message->view(), now_us);
  mail_.clear();
}

uint64_t PubSub::post_to_others(const Message& message) {
  if (hub_.subscriptions() == subscriptions_) return 0;
  const uint64_t heard = hub_.others_of(message, reactor_, &others_);
  if (others_.empty()) return 0;
  const auto kept = std::make_shared<const KeptMessage>(message);
  for (const uint32_t reactor : others_) hub_.post(reactor, kept);
  return heard;
}

uint64_t PubSub::deliver(const Message& message, uint64_t now_us) {
  if (subscriptions_ == 0) return 0;
  uint64_t heard = 0;
  const ByName<Clients>& channels = message.is_sharded ? shard_channels_ : channels_;
  if (const auto found = channels.find(message.channel); found != channels.end()) {
    text_.write(message);
    deliver_text(found->second, now_us);
    heard += found->second.size();
  }
  if (!message.is_sharded) {
    for (const auto& [pattern, clients] : patterns_) {
      if (!protocol::glob_matches(pattern, message.channel)) continue;
      text_.write(message, pattern);
      deliver_text(clients, now_us);
      heard += clients.size();
    }
  }
  if (heard != 0) add(hub_.counters.delivered, heard);
  return heard;
}

void PubSub::deliver_text(const Clients& clients, uint64_t now_us) {
  for (ClientState* const client : clients) push(*client, now_us);
}

void PubSub::push(ClientState& client, uint64_t now_us) {
  if (client.overrun) return;
  if (&client.session == from_) [[unlikely]] {
    return text_.append_to(client.subscriptions->deferred, client.session.resp);
  }
  text_.append_to(client.replies, client.session.resp);
  judge(client, text_.size(), now_us);
}

void PubSub::push_bytes(ClientState& client, std::string_view bytes, uint64_t now_us) {
  if (client.overrun) return;
  const ReplyQueue::Place place = client.replies.open();
  client.replies.writer(place).append(bytes);
  client.replies.close(place);
  judge(client, bytes.size(), now_us);
}

void PubSub::judge(ClientState& client, size_t pushed_bytes, uint64_t now_us) {
  client.wake_up();
  if (clients_.holds_little(client)) [[likely]] {
    client.behind_since_us = 0;
    return;
  }
  clients_.count(client);
  if (keeps_up(client, pushed_bytes, now_us)) return;
  client.overrun = true;
  client.woken = false;  // its owner, who waits for the socket, was woken up already
  client.wake_up();
  add(hub_.counters.overruns, 1);
}

void PubSub::push_deferred(ClientState& client) {
  std::string& deferred = client.subscriptions->deferred;
  if (deferred.empty()) return;
  const ReplyQueue::Place place = client.replies.open();
  client.replies.put(place, {}, deferred);
  client.replies.close(place);
  release_memory(deferred);
}

// Where the node holds much, the part of a client, which shrinks to a floor, is the bound: so who
// holds the most is closed first.
bool PubSub::keeps_up(ClientState& client, size_t pushed_bytes, uint64_t now_us) const {
  const InFlightShare& in_flight = clients_.in_flight();
  const bool is_full = in_flight.used() > in_flight.limit() / 2;
  const uint64_t waiting = client.replies.bytes() + client.unsent_bytes;
  if (waiting > (is_full ? in_flight.part() : limits_.waiting_bytes_max)) return false;
  if (waiting <= limits_.behind_bytes) {
    client.behind_since_us = 0;
    return true;
  }
  const bool was_behind = waiting - pushed_bytes > limits_.behind_bytes;
  if (!was_behind || client.behind_since_us == 0) client.behind_since_us = now_us;
  return now_us - client.behind_since_us < limits_.behind_us;
}

}  // namespace kvorum::server
