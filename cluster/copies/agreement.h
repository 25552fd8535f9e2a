// SPDX-License-Identifier: Apache-2.0
// Whether the nodes of a cluster have the same configuration, and what this one serves while they
// have not. Each tells its own to every other (agreement_link.h); all who know the same come to the
// same judgement:
//   - the configuration of most members stands; where none has so many, one that was in force
//     before this start, and of these the one of the node that started first;
//   - a node with another configuration does not serve the keyspaces in which its own differs;
//   - a node whose configuration changed since its last start serves what changed only once most
//     members have the same: alone it cannot know whether the others serve by the former one.
// What stands is kept in the data directory, so a node that was overtaken knows it after a restart.
// Once the membership history has a change it rules, and nothing is refused any more
// (docs/MEMBERSHIP.md). Shared by the machines of a node (NodeParts); any thread. A request costs
// one load.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "cluster/frontier/whole_replicas.h"
#include "cluster/ring/former_placements.h"
#include "cluster/version/hybrid_clock.h"

namespace kvorum::cluster {

// What a node says of itself.
struct Telling {
  NodeId node = 0;
  std::string address;  // where its peers reach it, host:port
  Configuration configuration;
  Hlc started;
  bool in_force = false;   // before this start, or agreed on since
  bool caught_up = false;  // all its copies are whole
  std::vector<Configuration> former;
};

void encode_telling(const Telling& telling, std::string& out);
bool decode_telling(std::string_view bytes, Telling* telling);

// Nothing is owned; all outlive it.
struct AgreementParts {
  std::shared_ptr<const ClusterView> view;  // the first
  FormerPlacements* former = nullptr;
  const WholeReplicas* whole = nullptr;
  HybridClock* clock = nullptr;
  // What the data directory has: former configurations, the last one being that in force at the
  // last stop. Empty: there is none.
  std::vector<Configuration> kept;
  Hlc started;
};

class Agreement {
 public:
  explicit Agreement(AgreementParts parts);

  // A later view: who is new has told nothing yet. A configuration that differs from the one before
  // is as one that changed between two starts: it comes into force once most members have it.
  // Nothing where it is the view of now, or an earlier one: reactors tell of it one after the
  // other.
  void publish(std::shared_ptr<const ClusterView> later);

  // Called after each change, by whoever caused it; no lock is held.
  void set_listener(std::function<void()> listener) { listener_ = std::move(listener); }

  bool refuses(uint8_t keyspace) const {
    return refused_.load(std::memory_order_relaxed) >> keyspace & 1;
  }
  KeyspaceMask refused() const { return refused_.load(std::memory_order_relaxed); }
  // Whether the member serves clients in the keyspace, as far as it is known.
  bool serves(MemberIndex member, uint8_t keyspace) const {
    KVORUM_CHECK(member < kMembersMax);
    return !(refused_by_[member].load(std::memory_order_relaxed) >> keyspace & 1);
  }
  // Whether the member has the same configuration, as far as it is known.
  bool same_as(MemberIndex member) const {
    KVORUM_CHECK(member < kMembersMax);
    return same_[member].load(std::memory_order_relaxed);
  }
  // Since when this configuration is agreed on, by the own clock; zero: since before the start.
  Hlc agreed_at() const { return Hlc{agreed_at_.load(std::memory_order_acquire)}; }
  bool in_force() const { return in_force_.load(std::memory_order_acquire); }
  // Why clients are refused in the keyspace: without a code word.
  std::string reason(uint8_t keyspace) const;
  // One sentence for each difference, with the members' names; none where all agree.
  std::vector<std::string> problems() const;
  // What the data directory has to have; grows and shrinks as configurations change.
  std::vector<Configuration> kept() const;

  Telling own_telling() const;
  // Who moved tells the others where to: where it said to be last, if that is not where the view
  // has it.
  std::optional<Endpoint> told_address(MemberIndex member) const;
  // kNoMember where it is not of a member.
  MemberIndex on_told(const Telling& telling, Now now);
  void on_link(MemberIndex member, bool up, Now now);
  // This node's copies may have become whole: former placements are dropped once all members' are.
  void look(Now now);

 private:
  struct Peer {
    std::optional<Telling> told;
    int links = 0;                    // of all reactors
    std::optional<Endpoint> address;  // kept when the links are gone
    bool counts() const { return told && links > 0; }
  };
  struct Group {
    const Configuration* configuration;
    size_t count = 0;
    bool in_force = false;
    Hlc started;
  };

  size_t majority() const KVORUM_REQUIRES(mutex_) { return view_->members.size() / 2 + 1; }
  std::vector<Group> groups() const KVORUM_REQUIRES(mutex_);
  bool stands_before(const Group& a, const Group& b) const KVORUM_REQUIRES(mutex_);
  void judge(Now now) KVORUM_REQUIRES(mutex_);
  void drop_former() KVORUM_REQUIRES(mutex_);
  void follow(const Configuration& standing, Now now) KVORUM_REQUIRES(mutex_);
  std::string names_of(const Configuration& configuration) const KVORUM_REQUIRES(mutex_);
  std::string reason_locked(uint8_t keyspace) const KVORUM_REQUIRES(mutex_);

  const AgreementParts parts_;
  std::function<void()> listener_;
  std::atomic<KeyspaceMask> refused_{0};
  // By member. Read without the lock, so they never move.
  std::array<std::atomic<KeyspaceMask>, kMembersMax> refused_by_{};
  std::array<std::atomic<bool>, kMembersMax> same_{};
  std::atomic<uint64_t> agreed_at_{0};
  std::atomic<bool> in_force_{false};
  mutable Mutex mutex_;
  std::shared_ptr<const ClusterView> view_ KVORUM_GUARDED_BY(mutex_);
  Configuration own_ KVORUM_GUARDED_BY(mutex_);        // of the view
  std::vector<Peer> peers_ KVORUM_GUARDED_BY(mutex_);  // by member
  std::vector<Configuration> kept_ KVORUM_GUARDED_BY(mutex_);
  Configuration standing_ KVORUM_GUARDED_BY(mutex_);
};

}  // namespace kvorum::cluster
