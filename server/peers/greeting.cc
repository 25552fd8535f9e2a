// SPDX-License-Identifier: Apache-2.0
#include "server/peers/greeting.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "cluster/history/change.h"

namespace kvorum::server {
namespace {

using cluster::Frame;
using cluster::FrameWriter;
using cluster::MessageType;

using Verdict = AcceptorGreeting::Verdict;

constexpr std::string_view kNoGreeting = "it does not speak the peer protocol";
constexpr std::string_view kBrokenOff = "it broke off the greeting";
constexpr std::string_view kLowered =
    "it could speak a newer version of the peer protocol: who is in between?";

void put_nonce(std::string& out, const Nonce& nonce) {
  put_u64(out, nonce[0]);
  put_u64(out, nonce[1]);
}

Nonce get_nonce(ByteReader& reader) {
  const uint64_t first = reader.u64();
  return {first, reader.u64()};
}

void put_proof(std::string& out, const Proof& proof) { out.append(proof.begin(), proof.end()); }

Proof get_proof(ByteReader& reader) {
  Proof proof{};
  for (unsigned char& byte : proof) byte = reader.u8();
  return proof;
}

bool has_shape(const Frame& frame, MessageType type, uint16_t flags) {
  return frame.head.type == type && frame.head.flags == flags;
}

std::string waiting_text(std::string_view name) {
  return fmt::format("node {} waits to be admitted: kvorum join {}", name, name);
}

std::string text_of(const SpokenVersions& versions) {
  if (versions.oldest == versions.newest) return fmt::format("{}", versions.newest);
  return fmt::format("{} to {}", versions.oldest, versions.newest);
}

std::string version_trouble(uint16_t theirs, const SpokenVersions& ours) {
  return fmt::format(
      "it speaks version {} of the peer protocol, this node speaks {}: upgrade the older binary",
      theirs, text_of(ours));
}

// Both speak a newer version than the one agreed on.
bool is_lowered(uint16_t agreed, uint16_t newest, uint16_t other_newest) {
  return agreed >= kTellsNewest && agreed < std::min(newest, other_newest);
}

// What the acceptor proves: what both have told.
std::string told_by_both(Verdict verdict, std::string_view dialer, std::string_view acceptor) {
  std::string told;
  put_u8(told, static_cast<uint8_t>(verdict));
  put_bytes(told, dialer);
  put_bytes(told, acceptor);
  return told;
}

FoundedPlacement founded_by(const PeerIdentity& self) {
  return self.waits || !self.founded ? FoundedPlacement{} : self.founded();
}

void put_founded(std::string& out, const FoundedPlacement& founded) {
  put_u8(out, founded.version);
  put_u8(out, founded.is_firm ? 1 : 0);
}

bool get_founded(ByteReader& reader, FoundedPlacement* founded) {
  founded->version = reader.u8();
  const uint8_t is_firm = reader.u8();
  founded->is_firm = is_firm == 1;
  return reader.ok() && is_firm <= 1;
}

struct FoundedNode {
  const std::string& name;
  uint8_t placement;
};

std::string apart_text(const FoundedNode& a, const FoundedNode& b) {
  return fmt::format(
      "the cluster of node {} was founded with placement {}, that of node {} with {}: start the "
      "one "
      "that holds nothing with an empty data directory",
      a.name, a.placement, b.name, b.placement);
}

Introduction introduce(const PeerIdentity& self, std::string_view wanted_name) {
  Introduction told;
  told.cluster_id = self.cluster_id;
  told.cluster_name = self.cluster_name;
  told.node_id = self.node_id;
  told.node_name = self.node_name;
  told.incarnation = self.incarnation;
  told.view_hash = self.view_hash;
  told.wanted_name = wanted_name;
  told.waits = self.waits;
  told.offered = self.offered;
  told.newest = self.versions.newest;
  told.founded = founded_by(self);
  return told;
}

// Of the first frames of both sides, whatever the version of who sent them.
bool read_start(ByteReader& reader, uint16_t* version) {
  const bool is_ours = reader.u32() == kGreetingMagic;
  *version = reader.u16();
  return is_ours && reader.ok();
}

std::string_view unproved_trouble(bool dialer_has_secret, bool has_secret) {
  if (dialer_has_secret && has_secret) {
    return "its cluster.secret differs from ours: set the same one on every node";
  }
  if (has_secret) return "it has no cluster.secret, this node has one: set the same on every node";
  if (dialer_has_secret) {
    return "it has a cluster.secret, this node has none: set the same on every node";
  }
  return "it belongs to another cluster: its cluster.name, founding members, partitions or "
         "partitioner differ from ours; give every node the same cluster section, and check the "
         "peer addresses in cluster.members";
}

void put_verdict(std::string& out, Verdict verdict, std::string_view sealed, const Proof& proof) {
  FrameWriter frame(out, {MessageType::kWelcome, 0, kGreetingDone});
  put_u8(frame.out(), static_cast<uint8_t>(verdict));
  put_bytes(frame.out(), sealed);
  put_proof(frame.out(), proof);
  frame.finish();
}

}  // namespace

std::string Introduction::encode(uint16_t version) const {
  std::string out;
  put_u64(out, cluster_id);
  put_bytes(out, cluster_name);
  put_u64(out, node_id);
  put_bytes(out, node_name);
  put_u64(out, incarnation);
  put_u64(out, view_hash);
  put_bytes(out, wanted_name);
  put_u8(out, waits ? 1 : 0);
  if (waits) cluster::encode_described(offered, out);
  if (version >= kTellsNewest) put_u16(out, newest);
  if (version >= cluster::kPlacementVersion) put_founded(out, founded);
  return out;
}

bool Introduction::decode(uint16_t version, std::string_view bytes, Introduction* out) {
  ByteReader reader(bytes);
  out->cluster_id = reader.u64();
  out->cluster_name = reader.bytes();
  out->node_id = reader.u64();
  out->node_name = reader.bytes();
  out->incarnation = reader.u64();
  out->view_hash = reader.u64();
  out->wanted_name = reader.bytes();
  const uint8_t waits = reader.u8();
  out->waits = waits == 1;
  if (out->waits && !cluster::decode_described(reader, &out->offered)) return false;
  out->offered.id = out->node_id;
  out->newest = version >= kTellsNewest ? reader.u16() : uint16_t{0};
  out->founded = {out->waits ? uint8_t{0} : cluster::kPlacementUnmended, false};
  if (version >= cluster::kPlacementVersion && !get_founded(reader, &out->founded)) return false;
  return reader.ok() && reader.done() && waits <= 1;
}

DialerGreeting::DialerGreeting(const PeerIdentity& self, const cluster::Member& peer,
                               const Nonce& nonce, uint16_t version)
    : self_(self), wanted_(peer) {
  start_.version = version == 0 ? self.versions.newest : version;
  KVORUM_CHECK(self.versions.include(start_.version));
  start_.dialer = nonce;
}

void DialerGreeting::begin(std::string& out) const {
  FrameWriter frame(out, {MessageType::kHello});
  put_u32(frame.out(), kGreetingMagic);
  put_u16(frame.out(), start_.version);
  put_nonce(frame.out(), start_.dialer);
  frame.finish();
}

GreetingStep DialerGreeting::fail(std::string_view why) {
  trouble_ = why;
  return GreetingStep::kFailed;
}

GreetingStep DialerGreeting::yield_to(const FoundedPlacement& theirs) {
  founded_as_ = theirs;
  return fail(
      fmt::format("its cluster was founded with placement {}, this node has {}: this node "
                  "begins anew with that one",
                  theirs.version, founded_by(self_).version));
}

GreetingStep DialerGreeting::on_frame(const Frame& frame, std::string& out) {
  return told_.empty() ? on_welcome(frame, out) : on_done(frame);
}

GreetingStep DialerGreeting::on_welcome(const Frame& frame, std::string& out) {
  if (!has_shape(frame, MessageType::kWelcome, 0)) return fail(kNoGreeting);
  ByteReader reader(frame.payload);
  uint16_t version = 0;
  if (!read_start(reader, &version)) return fail(kNoGreeting);
  if (version != start_.version) {
    const bool older = version < start_.version && self_.versions.include(version);
    if (older) older_version_ = version;
    return fail(version_trouble(version, self_.versions));
  }
  const std::string_view refusal = reader.bytes();
  start_.acceptor = get_nonce(reader);
  if (!reader.ok() || !reader.done()) return fail(kNoGreeting);
  if (!refusal.empty()) return fail(kBrokenOff);
  if (start_.acceptor == start_.dialer) return fail("it sent this node's greeting back");

  told_ = introduce(self_, wanted_.name).encode(start_.version);
  const ProofKey& key = self_.keys.peer.front();
  FrameWriter answer(out, {MessageType::kHello, 0, kGreetingProof});
  put_u8(answer.out(), self_.keys.has_secret ? 1 : 0);
  put_bytes(answer.out(), seal(key, GreetingRole::kDialer, start_, told_));
  put_proof(answer.out(), make_proof(key, GreetingRole::kDialer, start_, told_));
  answer.finish();
  return GreetingStep::kGoesOn;
}

GreetingStep DialerGreeting::on_done(const Frame& frame) {
  if (!has_shape(frame, MessageType::kWelcome, kGreetingDone)) return fail(kBrokenOff);
  ByteReader reader(frame.payload);
  const auto verdict = static_cast<Verdict>(reader.u8());
  const std::string_view sealed = reader.bytes();
  const Proof proof = get_proof(reader);
  if (!reader.ok() || !reader.done()) return fail(kBrokenOff);
  if (verdict == Verdict::kNotProved) {
    return fail(self_.keys.has_secret
                    ? "it does not accept this node's proof: its cluster.secret differs, or it has "
                      "none; set the same one on every node"
                    : "it does not accept this node's proof: it belongs to another cluster, or has "
                      "a cluster.secret, which this node has not; give every node the same cluster "
                      "section");
  }
  const ProofKey& key = self_.keys.peer.front();
  const std::string told = seal(key, GreetingRole::kAcceptor, start_, sealed);
  const Proof expected =
      make_proof(key, GreetingRole::kAcceptor, start_, told_by_both(verdict, told_, told));
  if (!same_proof(proof, expected)) {
    return fail("it could not prove that it knows our cluster.secret: who listens there?");
  }
  if (verdict == Verdict::kRefused) return fail("it refused this node: " + told);
  if (verdict == Verdict::kKnownAs) {
    known_as_ = ByteReader(told).u64();
    return fail("it knows this node's name by another id");
  }
  if (verdict == Verdict::kFoundedAs) {
    ByteReader answer(told);
    FoundedPlacement theirs;
    const bool is_whole = get_founded(answer, &theirs) && answer.done();
    if (!is_whole || match_foundings(founded_by(self_), theirs) != FoundingMatch::kYields) {
      return fail(kBrokenOff);
    }
    return yield_to(theirs);
  }
  const bool welcome = verdict == Verdict::kWelcome;
  if (!welcome || !Introduction::decode(start_.version, told, &peer_)) return fail(kBrokenOff);
  if (is_lowered(start_.version, self_.versions.newest, peer_.newest)) return fail(kLowered);
  if (peer_.cluster_id != self_.cluster_id || peer_.node_id != wanted_.id) {
    return fail(fmt::format("node {} answered there: check the peer addresses in cluster.members",
                            peer_.node_name));
  }
  const FoundedPlacement own = founded_by(self_);
  switch (match_foundings(own, peer_.founded)) {
    case FoundingMatch::kSame:
      return GreetingStep::kLinked;
    case FoundingMatch::kYields:
      return yield_to(peer_.founded);
    case FoundingMatch::kInsists:
    case FoundingMatch::kApart:
      break;
  }
  return fail(apart_text({peer_.node_name, peer_.founded.version}, {self_.node_name, own.version}));
}

uint16_t oldest_spoken(const PeerIdentity& self, const cluster::ClusterView& view) {
  const bool is_raised = cluster::is_raised_placement(view.ring.shape().placement);
  const bool holds = view.is_changed() || founded_by(self).is_firm;
  const uint16_t needed = is_raised && holds ? cluster::kPlacementVersion : uint16_t{0};
  return std::max(self.versions.oldest, needed);
}

AcceptorGreeting::AcceptorGreeting(const PeerIdentity& self,
                                   std::shared_ptr<const cluster::ClusterView> view,
                                   const Nonce& nonce, IsLinked is_linked)
    : self_(self),
      view_(std::move(view)),
      is_linked_(std::move(is_linked)),
      versions_{oldest_spoken(self, *view_), self.versions.newest} {
  start_.acceptor = nonce;
}

GreetingStep AcceptorGreeting::fail(std::string_view why) {
  trouble_ = why;
  return GreetingStep::kFailed;
}

GreetingStep AcceptorGreeting::on_frame(const Frame& frame, std::string& out) {
  return heard_hello_ ? on_proof(frame, out) : on_hello(frame, out);
}

GreetingStep AcceptorGreeting::on_hello(const Frame& frame, std::string& out) {
  ByteReader reader(frame.payload);
  uint16_t version = 0;
  if (!has_shape(frame, MessageType::kHello, 0) || !read_start(reader, &version)) {
    return fail("it sent something else than a greeting");
  }
  const bool spoken = versions_.include(version);
  start_.version = spoken ? version : versions_.newest;
  if (spoken) {
    start_.dialer = get_nonce(reader);
    if (!reader.ok() || !reader.done()) return fail("it sent something else than a greeting");
  }
  heard_hello_ = true;
  // Binaries of any version show the sentence to their operators.
  FrameWriter answer(out, {MessageType::kWelcome});
  put_u32(answer.out(), kGreetingMagic);
  put_u16(answer.out(), start_.version);
  put_bytes(answer.out(), spoken
                              ? std::string()
                              : fmt::format("version {} of the peer protocol is spoken here, yours "
                                            "is {}: upgrade the older binary",
                                            text_of(versions_), version));
  put_nonce(answer.out(), start_.acceptor);
  answer.finish();
  return spoken ? GreetingStep::kGoesOn : fail(version_trouble(version, versions_));
}

GreetingStep AcceptorGreeting::on_proof(const Frame& frame, std::string& out) {
  ByteReader reader(frame.payload);
  const bool dialer_has_secret = reader.u8() != 0;
  const std::string_view sealed = reader.bytes();
  const Proof proof = get_proof(reader);
  if (!has_shape(frame, MessageType::kHello, kGreetingProof) || !reader.ok() || !reader.done()) {
    return fail("it sent something else than its proof");
  }
  const ProofKey* known = nullptr;
  std::string told;
  for (const ProofKey& key : self_.keys.peer) {
    std::string opened = seal(key, GreetingRole::kDialer, start_, sealed);
    if (!same_proof(proof, make_proof(key, GreetingRole::kDialer, start_, opened))) continue;
    known = &key;
    told = std::move(opened);
  }
  if (known == nullptr) {
    put_verdict(out, Verdict::kNotProved, {}, Proof{});
    return fail(unproved_trouble(dialer_has_secret, self_.keys.has_secret));
  }
  if (!Introduction::decode(start_.version, told, &peer_)) {
    return fail("it sent something else than its proof");
  }
  if (is_lowered(start_.version, self_.versions.newest, peer_.newest)) return fail(kLowered);
  proved_ = true;
  std::string answer;
  const Verdict verdict = decide(&answer);
  put_verdict(
      out, verdict, seal(*known, GreetingRole::kAcceptor, start_, answer),
      make_proof(*known, GreetingRole::kAcceptor, start_, told_by_both(verdict, told, answer)));
  return verdict == Verdict::kWelcome ? GreetingStep::kLinked : GreetingStep::kFailed;
}

// Of one that proved itself: what it is told; trouble() where that is no welcome.
AcceptorGreeting::Verdict AcceptorGreeting::decide(std::string* answer) {
  std::string refusal = refusal_of(peer_, self_, *view_);
  if (!refusal.empty()) return refuse(std::move(refusal), answer);
  const Verdict founding = match_founding(answer);
  if (founding != Verdict::kWelcome) return founding;
  if (view_->find_id(peer_.node_id) != cluster::kNoMember) {
    *answer = introduce(self_, {}).encode(start_.version);
    return Verdict::kWelcome;
  }
  const cluster::MemberIndex known = view_->find_present(peer_.node_name);
  if (known == cluster::kNoMember) {
    waits_ = true;
    return refuse(waiting_text(peer_.node_name), answer);
  }
  if (is_linked_ && is_linked_(known)) {
    return refuse(
        fmt::format("a member {} is there: start this node with another name", peer_.node_name),
        answer);
  }
  put_u64(*answer, view_->members[known].id);
  trouble_ = "it was told the id of the member of its name";
  return Verdict::kKnownAs;
}

AcceptorGreeting::Verdict AcceptorGreeting::refuse(std::string text, std::string* answer) {
  trouble_ = "it was refused, and told: " + text;
  *answer = std::move(text);
  return Verdict::kRefused;
}

AcceptorGreeting::Verdict AcceptorGreeting::match_founding(std::string* answer) {
  const FoundedPlacement own = founded_by(self_);
  const bool is_old = start_.version < cluster::kPlacementVersion;
  if (is_old && peer_.waits && cluster::is_raised_placement(own.version)) {
    return refuse(
        fmt::format("node {} speaks version {} of the peer protocol, and a cluster with "
                    "placement {} needs {}: upgrade the older binary",
                    peer_.node_name, start_.version, own.version, cluster::kPlacementVersion),
        answer);
  }
  switch (match_foundings(own, peer_.founded)) {
    case FoundingMatch::kSame:
      return Verdict::kWelcome;
    case FoundingMatch::kYields:
      founded_as_ = peer_.founded;
      return refuse(fmt::format("node {} begins anew with placement {}, as its cluster was founded",
                                self_.node_name, peer_.founded.version),
                    answer);
    case FoundingMatch::kInsists:
      if (is_old) break;
      put_founded(*answer, own);
      trouble_ = "it was told with which placement its cluster was founded";
      return Verdict::kFoundedAs;
    case FoundingMatch::kApart:
      break;
  }
  return refuse(
      apart_text({self_.node_name, own.version}, {peer_.node_name, peer_.founded.version}), answer);
}

std::string refusal_of(const Introduction& dialer, const PeerIdentity& self,
                       const cluster::ClusterView& view) {
  if (dialer.cluster_name != self.cluster_name) {
    return fmt::format(
        "node {} belongs to cluster '{}', you belong to '{}': check cluster.name and the peer "
        "addresses in cluster.members",
        self.node_name, self.cluster_name, dialer.cluster_name);
  }
  if (dialer.cluster_id != self.cluster_id) {
    return fmt::format(
        "node {} founded '{}' from other members, partitions or partitioner (cluster id {:016x}, "
        "yours {:016x}): give every node the same cluster section",
        self.node_name, self.cluster_name, self.cluster_id, dialer.cluster_id);
  }
  if (dialer.wanted_name != self.node_name) {
    return fmt::format("this is node {}, not {}: check the peer addresses in cluster.members",
                       self.node_name, dialer.wanted_name);
  }
  if (dialer.node_id == self.node_id) {
    return fmt::format("you call yourself {} too: start every node with a name of its own",
                       self.node_name);
  }
  if (self.waits) return waiting_text(self.node_name);
  if (!dialer.waits && view.find_id(dialer.node_id) == cluster::kNoMember) {
    return fmt::format("node {} does not know a member {}: it has to be admitted first",
                       self.node_name, dialer.node_name);
  }
  return {};
}

}  // namespace kvorum::server
