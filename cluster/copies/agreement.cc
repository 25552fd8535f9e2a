// SPDX-License-Identifier: Apache-2.0
#include "cluster/copies/agreement.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace kvorum::cluster {
namespace {

constexpr uint8_t kInForceBit = 1, kCaughtUpBit = 2;

std::string keyspace_name(const ClusterView& view, uint8_t keyspace) {
  const std::string& name = view.keyspaces[keyspace].name;
  const std::string number = "keyspace " + std::to_string(keyspace);
  return name.empty() ? number : number + " (" + name + ")";
}

}  // namespace

void encode_telling(const Telling& telling, std::string& out) {
  // Else no reader takes it.
  KVORUM_CHECK(telling.former.size() <= FormerPlacements::kPlacementsMax);
  put_u64(out, telling.node);
  put_bytes(out, telling.address);
  put_u64(out, telling.started.value);
  put_u8(out, static_cast<uint8_t>((telling.in_force ? kInForceBit : 0) |
                                   (telling.caught_up ? kCaughtUpBit : 0)));
  encode_configuration(telling.configuration, out);
  put_varint(out, telling.former.size());
  for (const Configuration& former : telling.former) encode_configuration(former, out);
}

bool decode_telling(std::string_view bytes, Telling* telling) {
  *telling = {};
  ByteReader reader(bytes);
  telling->node = reader.u64();
  telling->address = reader.bytes();
  telling->started = Hlc{reader.u64()};
  const uint8_t flags = reader.u8();
  telling->in_force = flags & kInForceBit;
  telling->caught_up = flags & kCaughtUpBit;
  if (!decode_configuration(reader, &telling->configuration)) return false;
  const uint64_t former = reader.varint();
  if (!reader.ok() || former > FormerPlacements::kPlacementsMax) return false;
  for (uint64_t at = 0; at < former; ++at) {
    if (!decode_configuration(reader, &telling->former.emplace_back())) return false;
  }
  return reader.ok() && reader.done();
}

Agreement::Agreement(AgreementParts parts)
    : parts_(std::move(parts)),
      view_(parts_.view),
      own_(configuration_of(*view_)),
      peers_(view_->members.size()),
      kept_(parts_.kept),
      standing_(own_) {
  KVORUM_CHECK(parts_.former != nullptr && parts_.whole != nullptr);
  KVORUM_CHECK(peers_.size() <= kMembersMax);  // what judge() fills is no larger
  in_force_ = !kept_.empty() && kept_.back() == own_;
  if (kept_.empty()) kept_.push_back(own_);
  for (const Configuration& configuration : kept_) parts_.former->add(configuration, *view_);
  const MutexLock lock(mutex_);
  judge({});
  drop_former();
}

void Agreement::publish(std::shared_ptr<const ClusterView> later) {
  {
    const MutexLock lock(mutex_);
    if (later == view_ || later->generation < view_->generation) return;
    KVORUM_CHECK(later->follows(*view_));
    KVORUM_CHECK(later->members.size() <= kMembersMax);
    view_ = std::move(later);
    peers_.resize(view_->members.size());
    if (view_->is_changed()) return judge({});
    own_ = configuration_of(*view_);
    in_force_ = kept_.back() == own_;
    if (!in_force()) parts_.former->add(kept_.back(), *view_);
    judge({});
    drop_former();
  }
  if (listener_) listener_();
}

std::vector<Agreement::Group> Agreement::groups() const {
  std::vector<Group> groups = {{&own_, 1, in_force(), parts_.started}};
  for (const Peer& peer : peers_) {
    if (!peer.counts()) continue;
    const Telling& told = *peer.told;
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& known) {
      return *known.configuration == told.configuration;
    });
    if (group == groups.end()) {
      groups.push_back({&told.configuration, 0, false, told.started});
      group = groups.end() - 1;
    }
    ++group->count;
    group->in_force |= told.in_force;
    group->started = std::min(group->started, told.started);
  }
  return groups;
}

bool Agreement::stands_before(const Group& a, const Group& b) const {
  const bool a_has_most = a.count >= majority(), b_has_most = b.count >= majority();
  if (a_has_most != b_has_most) return a_has_most;
  if (a.in_force != b.in_force) return a.in_force;
  return a.started < b.started;
}

void Agreement::judge(Now now) {
  KVORUM_CHECK(!kept_.empty());
  if (view_->is_changed()) {
    refused_.store(0, std::memory_order_relaxed);
    for (auto& refused : refused_by_) refused.store(0, std::memory_order_relaxed);
    return;
  }
  const std::vector<Group> all = groups();
  const auto before = [this](const Group& a, const Group& b)
                          KVORUM_REQUIRES(mutex_) { return stands_before(a, b); };
  const Group& standing = *std::min_element(all.begin(), all.end(), before);
  standing_ = *standing.configuration;
  if (standing.count >= majority()) follow(standing_, now);
  KeyspaceMask refused = differing_keyspaces(own_, standing_);
  if (!in_force()) {
    refused = static_cast<KeyspaceMask>(refused | differing_keyspaces(own_, kept_.back()));
  }
  refused_.store(refused, std::memory_order_relaxed);
  for (size_t at = 0; at < peers_.size(); ++at) {
    const bool counts = peers_[at].counts();
    const KeyspaceMask by_it =
        counts ? differing_keyspaces(peers_[at].told->configuration, standing_) : 0;
    refused_by_[at].store(by_it, std::memory_order_relaxed);
    same_[at].store(counts && peers_[at].told->configuration == own_, std::memory_order_relaxed);
  }
}

// Most members have it: it is in force from now on, and this node remembers it.
void Agreement::follow(const Configuration& standing, Now now) {
  if (standing == own_ && !in_force()) {
    const bool changed = !(kept_.back() == own_);
    if (changed && parts_.clock) agreed_at_ = parts_.clock->tick(now.wall_ms).value;
    in_force_ = true;
  } else if (!(standing == own_)) {
    in_force_ = false;
  }
  if (kept_.back() == standing) return;
  std::erase(kept_, standing);
  kept_.push_back(standing);
  if (kept_.size() > FormerPlacements::kPlacementsMax) kept_.erase(kept_.begin());
}

Telling Agreement::own_telling() const {
  const MutexLock lock(mutex_);
  KVORUM_CHECK(view_->is_member());  // AgreementLink::active()
  Telling telling;
  telling.node = view_->members[view_->self].id;
  telling.address = view_->members[view_->self].peer.to_text();
  telling.configuration = own_;
  telling.started = parts_.started;
  telling.in_force = in_force();
  telling.caught_up = parts_.whole->missing() == 0;
  for (const FormerPlacement& former : *parts_.former->list()) {
    telling.former.push_back(former.configuration);
  }
  return telling;
}

MemberIndex Agreement::on_told(const Telling& telling, Now now) {
  const std::vector<std::string> before = problems();
  const std::vector<Configuration> kept_before = kept();
  const bool was_in_force = in_force();
  MemberIndex member = kNoMember;
  {
    const MutexLock lock(mutex_);
    member = view_->find_id(telling.node);
    if (member == kNoMember || member == view_->self) return kNoMember;
    KVORUM_CHECK(member < peers_.size());
    peers_[member].told = telling;
    const Result<Endpoint> address = Endpoint::parse(telling.address);
    peers_[member].address.reset();
    if (address.ok() && !(address.value() == view_->members[member].peer)) {
      peers_[member].address = address.value();
    }
    // One that is in force elsewhere is what the copies here may come after. Once the membership
    // changed, sets in play say that, and files nothing.
    if (!view_->is_changed()) {
      for (const Configuration& former : telling.former) parts_.former->add(former, *view_);
      if (telling.in_force && !in_force()) parts_.former->add(telling.configuration, *view_);
    }
    judge(now);
    drop_former();
  }
  const bool changed =
      was_in_force != in_force() || !(kept_before == kept()) || before != problems();
  if (changed && listener_) listener_();
  return member;
}

std::optional<Endpoint> Agreement::told_address(MemberIndex member) const {
  const MutexLock lock(mutex_);
  KVORUM_CHECK(member < peers_.size());
  return peers_[member].address;
}

void Agreement::on_link(MemberIndex member, bool up, Now now) {
  const std::vector<std::string> before = problems();
  {
    const MutexLock lock(mutex_);
    if (member >= peers_.size()) return;
    Peer& peer = peers_[member];
    peer.links += up ? 1 : -1;
    if (peer.links <= 0) {
      peer.links = 0;
      peer.told.reset();
    }
    judge(now);
  }
  if (before != problems() && listener_) listener_();
}

void Agreement::look(Now) {
  const std::vector<Configuration> before = kept();
  {
    const MutexLock lock(mutex_);
    drop_former();
  }
  if (!(before == kept()) && listener_) listener_();
}

// Nobody asks the former primaries for what it lacks any more.
void Agreement::drop_former() {
  if (!in_force() || parts_.whole->missing() != 0) return;
  if (!parts_.former->any() && kept_.size() <= 1) return;
  for (size_t at = 0; at < peers_.size(); ++at) {
    if (at == view_->self) continue;
    const std::optional<Telling>& told = peers_[at].told;
    const bool through = told && told->caught_up && told->in_force && told->configuration == own_;
    if (!through) return;
  }
  parts_.former->clear();
  kept_ = {own_};
}

std::string Agreement::names_of(const Configuration& configuration) const {
  std::string names;
  for (size_t at = 0; at < peers_.size(); ++at) {
    if (!peers_[at].counts() || !(peers_[at].told->configuration == configuration)) continue;
    names.append(names.empty() ? "" : ", ").append(view_->members[at].name);
  }
  return names;
}

std::string Agreement::reason_locked(uint8_t keyspace) const {
  KVORUM_CHECK(keyspace < kKeyspacesMax);
  const std::string where = keyspace_name(*view_, keyspace);
  if (differing_keyspaces(own_, standing_) >> keyspace & 1) {
    return where + " has " + describe_difference(standing_, own_, keyspace) + " at " +
           names_of(standing_) + ", " + describe_difference(own_, standing_, keyspace) +
           " here: give every node the same keyspaces and members, and restart the one that "
           "differs";
  }
  KVORUM_CHECK(!kept_.empty());  // the last one is only ever followed by another
  return where + " has " + describe_difference(own_, kept_.back(), keyspace) + " here, and had " +
         describe_difference(kept_.back(), own_, keyspace) +
         " before: it is served once most members have been restarted with that, " +
         std::to_string(majority()) + " of " + std::to_string(peers_.size());
}

std::string Agreement::reason(uint8_t keyspace) const {
  const MutexLock lock(mutex_);
  return reason_locked(keyspace);
}

// Keyspaces without an entry of their own are as `default`: the first of those that say the same
// speaks for all.
std::vector<std::string> Agreement::problems() const {
  const MutexLock lock(mutex_);
  std::vector<std::string> problems;
  const auto add = [&](const std::string& problem) {
    if (std::find(problems.begin(), problems.end(), problem) == problems.end()) {
      problems.push_back(problem);
    }
  };
  const KeyspaceMask refused = this->refused();
  if (refused != 0) {
    add("not served here: " + reason_locked(static_cast<uint8_t>(std::countr_zero(refused))));
  }
  for (size_t at = 0; at < peers_.size(); ++at) {
    const KeyspaceMask by_it = refused_by_[at].load(std::memory_order_relaxed);
    if (by_it == 0) continue;
    const auto keyspace = static_cast<uint8_t>(std::countr_zero(by_it));
    KVORUM_CHECK(peers_[at].told.has_value());  // judge() went by it
    const Configuration& its = peers_[at].told->configuration;
    add(view_->members[at].name + " does not serve " + keyspace_name(*view_, keyspace) +
        ": it has " + describe_difference(its, standing_, keyspace) + ", most others have " +
        describe_difference(standing_, its, keyspace));
  }
  return problems;
}

std::vector<Configuration> Agreement::kept() const {
  const MutexLock lock(mutex_);
  return kept_;
}

}  // namespace kvorum::cluster
