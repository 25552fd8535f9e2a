// SPDX-License-Identifier: Apache-2.0
// The greeting at the start of a peer link: do both speak the same version, do both know the
// secret, who is there, do both belong to the same cluster. Four frames, two of each type, before
// any other frame is looked at. Who has not proved that it knows the secret hears a version and a
// nonce:
//
//   dialer                                       acceptor
//     kHello  version, nonce              ---->     refuses a version that it does not speak
//     checks the version                  <----  kWelcome  version, nonce
//     kHello  (kGreetingProof)            ---->     checks the proof, then who it is
//       who, sealed; proof
//     checks the proof, then who it is    <----  kWelcome  (kGreetingDone)
//                                                  who, sealed; proof; or the refusal
//
// The dialer names the newest version that it speaks. Who is older refuses, and says which one it
// speaks itself: the dialer comes again with that one, if it still speaks it (older_version()). So
// the releases of a rolling upgrade talk to each other by the highest version that both speak. From
// version 12 on each side also tells, sealed, the newest one that it speaks: nobody in between can
// make two of them speak an older one. From version 13 on each also tells with which placement its
// cluster was founded, and who has to yield begins anew (founded_placement.h). Where the placement
// in use, or that of a firm founding, is not the first, no older version is spoken: those who speak
// it could not compute the ring.
//
// The dialer proves first. Keys, proofs and the seal: greeting_proof.h, secret_keys.h. Who proved
// nothing is told no more than that; a node that knows the secret but does not belong here is told
// why, sealed. A node that is no member yet says so, with what it would be as one, and is told to
// wait; or which id it has, where its name is known: it lost its disk, or has none. trouble() is
// for this node's own log. Pure: frames in, bytes out. A link owns one; the identity must outlive
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cluster/ring/cluster_view.h"
#include "cluster/wire/frame.h"
#include "server/membership/founded_placement.h"
#include "server/peers/greeting_proof.h"

namespace kvorum::server {

inline constexpr uint32_t kGreetingMagic = 0x4d55564b;  // "KVUM"
inline constexpr size_t kGreetingBytesMax = 4096;
inline constexpr uint16_t kGreetingProof = 1 << 0;  // flag of the dialer's second kHello
inline constexpr uint16_t kGreetingDone = 1 << 0;   // flag of the acceptor's second kWelcome

// The versions of the peer protocol that a binary speaks.
struct SpokenVersions {
  uint16_t oldest = cluster::kProtocolOldest, newest = cluster::kProtocolVersion;

  bool include(uint16_t version) const { return version >= oldest && version <= newest; }
};
// The first version in which Introduction::newest is told.
inline constexpr uint16_t kTellsNewest = 12;

// This node, as it introduces itself. Shared by all links of a node.
struct PeerIdentity {
  SpokenVersions versions;
  uint64_t cluster_id = 0;
  std::string cluster_name;
  cluster::NodeId node_id = 0;
  std::string node_name;
  uint64_t incarnation = 0;
  uint64_t view_hash = 0;  // 0: files do not rule any more, so they may differ
  SecretKeys keys;
  // It is no member: what it would be as one. Its id may not be the one that members know it by.
  bool waits = false;
  cluster::Member offered;
  // By any thread; null: it tells nothing of it, for it waits.
  std::function<FoundedPlacement()> founded;
};

// The oldest version that a node may speak, by what it knows now.
uint16_t oldest_spoken(const PeerIdentity& self, const cluster::ClusterView& view);

// What each side tells of itself, sealed.
struct Introduction {
  uint64_t cluster_id = 0;
  std::string cluster_name;
  cluster::NodeId node_id = 0;
  std::string node_name;
  uint64_t incarnation = 0;
  uint64_t view_hash = 0;
  std::string wanted_name;  // whom the dialer believes to have reached; empty from the acceptor
  bool waits = false;
  cluster::Member offered;  // of one that waits
  uint16_t newest = 0;      // the version that its binary could speak; 0: not told
  // Below version 13 it is not told, and is the first one.
  FoundedPlacement founded;

  std::string encode(uint16_t version) const;
  static bool decode(uint16_t version, std::string_view bytes, Introduction* out);
};

enum class GreetingStep : uint8_t { kGoesOn, kLinked, kFailed };

// Both sides append to `out` what is to be sent, also where they fail.
class DialerGreeting {
 public:
  // Speaks `version`, one of the identity's; 0: the newest.
  DialerGreeting(const PeerIdentity& self, const cluster::Member& peer, const Nonce& nonce,
                 uint16_t version = 0);

  void begin(std::string& out) const;
  GreetingStep on_frame(const cluster::Frame& frame, std::string& out);

  const Introduction& peer() const { return peer_; }  // once linked
  uint16_t version() const { return start_.version; }
  // Where it failed since the peer speaks an older version, which this node speaks too; else 0.
  uint16_t older_version() const { return older_version_; }
  // Of one that waits: the id by which the other side knows its name; 0: it said nothing of it.
  cluster::NodeId known_as() const { return known_as_; }
  // The placement to which this node has to yield; version 0: it has not.
  const FoundedPlacement& founded_as() const { return founded_as_; }
  const std::string& trouble() const { return trouble_; }

 private:
  GreetingStep on_welcome(const cluster::Frame& frame, std::string& out);
  GreetingStep on_done(const cluster::Frame& frame);
  GreetingStep yield_to(const FoundedPlacement& theirs);
  GreetingStep fail(std::string_view why);

  const PeerIdentity& self_;
  const cluster::Member wanted_;
  GreetingStart start_;
  std::string told_;  // our introduction, once it was sent
  Introduction peer_;
  cluster::NodeId known_as_ = 0;
  FoundedPlacement founded_as_;
  uint16_t older_version_ = 0;
  std::string trouble_;
};

class AcceptorGreeting {
 public:
  // The last word. Who proved nothing is told the first and nothing else.
  enum class Verdict : uint8_t {
    kNotProved = 0,
    kRefused = 1,
    kWelcome = 2,
    kKnownAs = 3,
    kFoundedAs = 4,  // from version 13 on
  };
  // Whether this node is linked to the member: then nobody else is it.
  using IsLinked = std::function<bool(cluster::MemberIndex member)>;

  AcceptorGreeting(const PeerIdentity& self, std::shared_ptr<const cluster::ClusterView> view,
                   const Nonce& nonce, IsLinked is_linked = {});

  GreetingStep on_frame(const cluster::Frame& frame, std::string& out);

  bool heard_hello() const { return heard_hello_; }
  // Whether the dialer knows the secret; then peer() is what it says of itself.
  bool proved() const { return proved_; }
  // Whether it was told to wait: it belongs here, and nobody admitted it yet.
  bool waits() const { return waits_; }
  uint16_t version() const { return start_.version; }  // once linked
  // The placement to which this node has to yield; version 0: it has not.
  const FoundedPlacement& founded_as() const { return founded_as_; }
  const Introduction& peer() const { return peer_; }
  const std::string& trouble() const { return trouble_; }

 private:
  GreetingStep on_hello(const cluster::Frame& frame, std::string& out);
  GreetingStep on_proof(const cluster::Frame& frame, std::string& out);
  Verdict decide(std::string* answer);
  Verdict refuse(std::string text, std::string* answer);
  Verdict match_founding(std::string* answer);
  GreetingStep fail(std::string_view why);

  const PeerIdentity& self_;
  const std::shared_ptr<const cluster::ClusterView> view_;
  const IsLinked is_linked_;
  const SpokenVersions versions_;
  GreetingStart start_;
  FoundedPlacement founded_as_;
  bool heard_hello_ = false, proved_ = false, waits_ = false;
  Introduction peer_;
  std::string trouble_;
};

// Why a dialer that knows the secret is not let in, naming the difference and the remedy, as the
// dialer is told it; empty: it is a member of ours.
std::string refusal_of(const Introduction& dialer, const PeerIdentity& self,
                       const cluster::ClusterView& view);

}  // namespace kvorum::server
