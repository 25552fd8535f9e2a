// SPDX-License-Identifier: Apache-2.0
#include "server/tracking/tracking.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/contains.h"
#include "protocol/resp_writer.h"
#include "server/commands/edits.h"

namespace kvorum::server {

using cluster::ChangedKey;
using cluster::ChangedKeys;
using cluster::MemberIndex;

namespace {

constexpr std::string_view kChannel = "__redis__:invalidate";

// Of what a replica has once it took the version with this dot, and nothing else beside it.
uint64_t digest_of(const cluster::Dot& dot) {
  cluster::Object object;
  cluster::Version version;
  version.dot = dot;
  object.versions.push_back(version);
  return cluster::versions_digest(object);
}

// They read keys within.
bool may_read(const cluster::Request& request) {
  return request.edit == kEditBatch || request.edit == kEditScript;
}

ChangedKeys any_key() {
  ChangedKeys changed;
  changed.note_all();
  return changed;
}

// The last news of each key.
void drop_repeated(ChangedKeys& changed) {
  if (changed.keys.size() < 2) return;
  const auto by_key = [](const ChangedKey& a, const ChangedKey& b) { return a.key < b.key; };
  const auto same = [](const ChangedKey& a, const ChangedKey& b) { return a.key == b.key; };
  std::reverse(changed.keys.begin(), changed.keys.end());
  std::stable_sort(changed.keys.begin(), changed.keys.end(), by_key);
  changed.keys.erase(std::unique(changed.keys.begin(), changed.keys.end(), same),
                     changed.keys.end());
}

}  // namespace

Tracking::Tracking(const Parts& parts, const Options& options)
    : parts_(parts),
      changed_(parts.coordinator.outbox().changed),
      hub_(options.hub != nullptr ? *options.hub : own_hub_),
      reactor_(options.hub != nullptr ? options.reactor : 0),
      table_(hub_.keys_max_of_reactor()) {}

// ---- for commands

void Tracking::enable(SessionState& session, const TrackingMode& mode,
                      std::span<const std::string_view> prefixes) {
  ClientState& client = parts_.clients.of(session);
  if (!session.tracking.on) {
    clients_.push_back(&client);
    hub_.count_tracking(reactor_, true);
  }
  session.tracking = mode;
  session.tracking.on = true;
  if (!client.tracked) client.tracked = std::make_unique<TrackedClient>();
  if (!mode.no_loop) client.tracked->writes.clear();
  if (!mode.broadcast) return;
  const auto add = [&](std::string_view prefix) {
    if (!client.tracked->prefixes.emplace(prefix).second) return;
    prefixes_[std::string(prefix)].push_back(&client);
  };
  if (prefixes.empty()) add({});
  for (const std::string_view prefix : prefixes) add(prefix);
  note_totals();
}

void Tracking::disable(SessionState& session) {
  if (!session.tracking.on) return;
  ClientState& client = parts_.clients.of(session);
  leave_prefixes(client);
  client.tracked.reset();
  session.tracking = {};
  std::erase(clients_, &client);
  if (clients_.empty()) table_.clear();
  hub_.count_tracking(reactor_, false);
  note_totals();
}

void Tracking::leave_prefixes(ClientState& client) {
  for (const std::string& prefix : client.tracked->prefixes) {
    const auto found = prefixes_.find(prefix);
    KVORUM_CHECK(found != prefixes_.end());
    std::erase(found->second, &client);
    if (found->second.empty()) prefixes_.erase(found);
  }
}

std::vector<std::string> Tracking::prefixes(const SessionState& session) const {
  const ClientState& client = parts_.clients.of(session);
  if (!client.tracked) return {};
  return {client.tracked->prefixes.begin(), client.tracked->prefixes.end()};
}

void Tracking::note_totals() {
  TrackingStatus totals;
  totals.keys = table_.keys();
  totals.items = table_.items();
  totals.prefixes = prefixes_.size();
  hub_.note_totals(reactor_, totals);
}

void Tracking::add(const ClientState& client) {
  hub_.add_client(client.session.id, {reactor_, client.slot});
}

void Tracking::remove(ClientState& client) {
  disable(client.session);
  hub_.remove_client(client.session.id);
}

// ---- what clients ask

void Tracking::begin(ClientState& client, bool reads_only, cluster::Request& request, Call& call) {
  const TrackingMode& mode = client.session.tracking;
  const bool edits = request.kind == cluster::Request::Kind::kEdit;
  const std::string_view key = request.key.key;
  KVORUM_CHECK(mode.on && client.tracked != nullptr);
  const bool reads =
      edits ? may_read(request) : request.kind == cluster::Request::Kind::kRead && reads_only;
  if (mode.remembers() && reads) {
    const TrackingTable::Ticket ticket = table_.begin(key, client.slot);
    client.tracked->has_read = true;
    if (!edits) {
      call.read_ticket = ticket;
      call.key = key;
    }
    give_up_keys();
    note_totals();
  }
  if (!edits || !mode.no_loop) return;
  auto& writes = client.tracked->writes;
  if (writes.size() >= TrackedClient::kWritesMax) {
    std::erase_if(writes, [](const auto& each) { return each.second.open == 0; });
  }
  ++writes[std::string(key)].open;
  call.own_write = true;
  call.key = key;
  request.wants_context = true;
}

void Tracking::on_complete(ClientState& client, const Call& call,
                           const cluster::Completion& completion) {
  if (!client.session.tracking.on) return;
  if (call.own_write) settle_write(client, call, completion);
  if (call.read_ticket == 0) return;
  const bool ok = completion.outcome == cluster::Outcome::kOk && completion.object != nullptr;
  // What stand-ins alone said may stay so for ever where the primaries know better.
  if (!ok || completion.service.primaries == 0) return tell_readers({call.key, 0});
  table_.end(call.key, call.read_ticket, cluster::versions_digest(*completion.object));
}

void Tracking::settle_write(ClientState& client, const Call& call,
                            const cluster::Completion& completion) {
  const auto found = client.tracked->writes.find(call.key);
  if (found == client.tracked->writes.end()) return;  // tracking was switched off meanwhile
  TrackedClient::OwnWrites& own = found->second;
  if (own.open > 0) --own.open;
  if (completion.stored && completion.context != nullptr && !completion.context->detached.empty()) {
    const auto& dots = completion.context->detached;
    own.digests.push_back(digest_of(dots[dots.size() - 1]));
    if (own.digests.size() > own.kDigestsMax) own.digests.erase(own.digests.begin());
  }
  if (own.open > 0) return;
  const std::vector<uint64_t> awaiting = std::exchange(own.awaiting, {});
  const bool others = std::any_of(awaiting.begin(), awaiting.end(),
                                  [&](uint64_t digest) { return !contains(own.digests, digest); });
  const std::string_view key = call.key;
  if (others) tell(client, {&key, 1});
}

// True: the client is not told, or not yet; it goes on caching the key.
bool Tracking::is_own_write(ClientState& client, const ChangedKey& changed) {
  if (!client.session.tracking.no_loop) return false;
  const auto found = client.tracked->writes.find(changed.key);
  if (found == client.tracked->writes.end()) return false;
  TrackedClient::OwnWrites& own = found->second;
  const bool awaits = own.open > 0;
  if (awaits) own.awaiting.push_back(changed.digest);
  if (!awaits && !(changed.digest != 0 && contains(own.digests, changed.digest))) return false;
  if (!client.session.tracking.broadcast) table_.begin(changed.key, client.slot);
  return true;
}

void Tracking::give_up_keys() {
  table_.set_keys_max(hub_.keys_max_of_reactor());
  while (table_.overflows()) {
    readers_.clear();
    const std::string given_up = table_.take_any(&readers_);
    const std::string_view key = given_up;
    for (const SlotId slot : readers_) {
      ClientState* const client = parts_.clients.find(slot);
      if (client != nullptr && client->session.tracking.on) tell(*client, {&key, 1});
    }
  }
}

// ---- what changed

void Tracking::tell_own(uint64_t now_us) {
  now_us_ = now_us;
  if (changed_.all) return;
  for (; told_ < changed_.keys.size(); ++told_) tell_readers(changed_.keys[told_]);
}

void Tracking::tell_all(uint64_t now_us) {
  tell_own(now_us);
  if (changed_.empty()) return;
  const auto changed = std::make_shared<ChangedKeys>(std::exchange(changed_, {}));
  told_ = 0;
  drop_repeated(*changed);
  tell_broadcast(*changed);
  if (changed->all) tell_gap(false);
  hub_.post_changes(reactor_, changed);
  send_to_peers(*changed);
  note_totals();
}

void Tracking::look(uint64_t now_us) {
  now_us_ = now_us;
  if (reactor_ == 0 && hub_.wants_look(now_us)) ask(now_us);
  const TrackingHub::News news = hub_.take_news();
  if (news.flushed) hub_.post_flush();
  if (news.lost) hub_.post_gap();
  if (news.flushed || news.lost) send_to_peers(any_key());
  if (!missed_.empty()) send_missed();
}

void Tracking::on_view(uint64_t now_us) {
  now_us_ = now_us;
  tell_gap(false);
}

void Tracking::tell_readers(const ChangedKey& changed) {
  if (clients_.empty()) return;
  readers_.clear();
  table_.take(changed.key, changed.digest, &readers_);
  const std::string_view key = changed.key;
  for (const SlotId slot : readers_) {
    ClientState* const client = parts_.clients.find(slot);
    // What it cached before it was switched to broadcasting is told as such.
    if (client == nullptr || !client->session.tracking.on || client->session.tracking.broadcast) {
      continue;
    }
    if (!is_own_write(*client, changed)) tell(*client, {&key, 1});
  }
}

void Tracking::tell_broadcast(const ChangedKeys& changed) {
  for (const auto& [prefix, clients] : prefixes_) tell_prefix(prefix, clients, changed);
}

void Tracking::tell_prefix(std::string_view prefix, const Clients& clients,
                           const ChangedKeys& changed) {
  std::vector<const ChangedKey*> within;
  for (const ChangedKey& key : changed.keys) {
    if (std::string_view(key.key).starts_with(prefix)) within.push_back(&key);
  }
  if (within.empty()) return;
  std::vector<std::string_view> keys;
  for (ClientState* const client : clients) {
    keys.clear();
    for (const ChangedKey* const key : within) {
      if (!is_own_write(*client, *key)) keys.push_back(key->key);
    }
    if (!keys.empty()) tell(*client, keys);
  }
}

void Tracking::tell_gap(bool flushed) {
  table_.clear();
  for (ClientState* const client : clients_) {
    const bool caches = client->session.tracking.broadcast || client->tracked->has_read;
    client->tracked->has_read = false;
    if (flushed || caches) tell(*client, {});
  }
  note_totals();
}

// ---- news

void Tracking::write_news(protocol::RespVersion version, Keys keys) {
  news_.clear();
  if (version == protocol::RespVersion::k3) {
    protocol::append_push_header(news_, version, 2);
    protocol::append_bulk(news_, "invalidate");
  } else {
    protocol::append_array_header(news_, 3);
    protocol::append_bulk(news_, "message");
    protocol::append_bulk(news_, kChannel);
  }
  if (keys.empty()) return protocol::append_nil(news_, version);
  protocol::append_array_header(news_, keys.size());
  for (const std::string_view key : keys) protocol::append_bulk(news_, key);
}

void Tracking::tell(ClientState& client, Keys keys) {
  TrackingMode& mode = client.session.tracking;
  const bool knows_pushes = client.session.resp == protocol::RespVersion::k3;
  if (mode.redirect == 0) {
    if (!knows_pushes) return;
    write_news(client.session.resp, keys);
    return parts_.pub_sub.push_bytes(client, news_, now_us_);
  }
  const std::optional<ClientPlace> place = hub_.find_client(mode.redirect);
  if (!place) {
    mode.broken_redirect = true;
    if (!knows_pushes) return;
    news_.clear();
    protocol::append_push_header(news_, client.session.resp, 2);
    protocol::append_bulk(news_, "tracking-redir-broken");
    protocol::append_integer(news_, static_cast<int64_t>(mode.redirect));
    return parts_.pub_sub.push_bytes(client, news_, now_us_);
  }
  if (place->reactor != reactor_) {
    return hub_.post_redirected(place->reactor, {place->slot, {keys.begin(), keys.end()}});
  }
  if (ClientState* const target = parts_.clients.find(place->slot)) tell_redirected(*target, keys);
}

// One that speaks RESP2 hears it as a message, if it hears any.
void Tracking::tell_redirected(ClientState& target, Keys keys) {
  const bool knows_pushes = target.session.resp == protocol::RespVersion::k3;
  if (!knows_pushes && !target.session.subscriptions.any()) return;
  write_news(target.session.resp, keys);
  parts_.pub_sub.push_bytes(target, news_, now_us_);
}

// ---- from elsewhere

void Tracking::take_mail(const TrackingMail& mail, uint64_t now_us) {
  now_us_ = now_us;
  if (mail.flush) tell_gap(true);
  if (mail.gap) tell_gap(false);
  for (const auto& changed : mail.changes) {
    for (const ChangedKey& key : changed->keys) tell_readers(key);
    tell_broadcast(*changed);
  }
  for (const RedirectedNews& news : mail.redirected) {
    ClientState* const target = parts_.clients.find(news.slot);
    if (target == nullptr) continue;
    const std::vector<std::string_view> keys(news.keys.begin(), news.keys.end());
    tell_redirected(*target, keys);
  }
  note_totals();
}

bool Tracking::on_frame(cluster::LinkIndex from, const cluster::Frame& frame, uint64_t now_us) {
  now_us_ = now_us;
  if (frame.head.type == cluster::MessageType::kTrackChanges) {
    TrackChanges asked;
    if (!parse_track_changes(frame, &asked)) return false;
    const MemberIndex member = parts_.coordinator.view().find_id(asked.node);
    if (member == cluster::kNoMember) return true;  // known soon: it asks again
    const bool was_on = hub_.set_interested(member, asked.on, now_us);
    put_track_changes_reply(parts_.coordinator.outbox().frames(from), {asked.number, was_on});
    return true;
  }
  if (frame.head.type == cluster::MessageType::kTrackChangesReply) {
    TrackChangesReply answer;
    if (!parse_track_changes_reply(frame, &answer) || from.is_accepted()) return false;
    if (hub_.on_answer(from.member(), answer)) hub_.post_gap();
    return true;
  }
  const auto changed = std::make_shared<ChangedKeys>();
  if (!parse_changed_keys(frame, changed.get())) return false;
  if (changed->all) {
    hub_.post_gap();
    return true;
  }
  for (const ChangedKey& key : changed->keys) tell_readers(key);
  tell_broadcast(*changed);
  hub_.post_changes(reactor_, changed);
  note_totals();
  return true;
}

void Tracking::on_link(MemberIndex member, bool up, uint16_t version) {
  if (reactor_ == 0) {
    if (hub_.tells_changes()) hub_.post_gap();
    hub_.on_link(member, up, version);
  }
  // What changed while it was down was told to nobody.
  if (up && hub_.is_interested(member)) note_missed(member);
}

void Tracking::note_missed(MemberIndex member) {
  if (!contains(missed_, member)) missed_.push_back(member);
}

void Tracking::ask(uint64_t now_us) {
  const cluster::ClusterView& view = parts_.coordinator.view();
  for (const TrackingHub::Question& question : hub_.look(now_us)) {
    std::string frame;
    put_track_changes(frame, {view.members[view.self].id, question.number, question.on});
    const bool sent = messenger_ != nullptr && messenger_->send_changes(question.member, frame);
    if (!sent) hub_.not_asked(question);
  }
}

void Tracking::send_to_peers(const ChangedKeys& changed) {
  if (messenger_ == nullptr) return;
  hub_.interested(&peers_);
  if (peers_.empty()) return;
  std::string frames;
  put_changed_keys(frames, changed);
  for (const MemberIndex member : peers_) {
    const bool owes = contains(missed_, member);
    if (!owes && !messenger_->send_changes(member, frames)) note_missed(member);
  }
}

// They are told that any key may have changed, as soon as there is room.
void Tracking::send_missed() {
  std::string frame;
  put_changed_keys(frame, any_key());
  std::erase_if(missed_, [&](MemberIndex member) {
    return !hub_.is_interested(member) ||
           (messenger_ != nullptr && messenger_->send_changes(member, frame));
  });
}

}  // namespace kvorum::server
