// SPDX-License-Identifier: Apache-2.0
#include "cluster/machine/choose_replicas.h"

#include <algorithm>

#include "base/check.h"
#include "base/contains.h"

namespace kvorum::cluster {
namespace {

using Places = std::span<const MemberIndex>;

// Those who may stand in for an owner, in the order of the ring.
class StandIns {
 public:
  StandIns(const ClusterView& view, const KeyRef& key, const SetsInPlay* sets)
      : sets_(sets), list_(view.ring.preference_list(view.ring.partition_of(key.position))) {
    if (sets_ == nullptr) list_ = list_.subspan(view.quorum(key.keyspace).n);
  }

  // Calls fn(member) until it returns true.
  template <class Fn>
  void each(Fn fn) const {
    for (const MemberIndex member : list_) {
      if (sets_ != nullptr && contains(sets_->owners, member)) continue;
      if (fn(member)) return;
    }
  }

 private:
  const SetsInPlay* const sets_;
  Places list_;
};

}  // namespace

void choose_replicas(const Whereabouts& now, const KeyRef& key, Targets* targets,
                     InlineVector<MemberIndex, 4>* uncovered) {
  const uint32_t partition = now.view.ring.partition_of(key.position);
  const SetsInPlay* const sets = now.view.sets_in_play(key.keyspace, partition);
  const Places places = now.purpose == Purpose::kRead ? now.view.readers(key.keyspace, partition)
                                                      : now.view.owners(key.keyspace, partition);
  KVORUM_CHECK(!places.empty() || sets != nullptr);
  targets->clear();
  uncovered->clear();
  for (const MemberIndex place : places) {
    if (now.health.healthy(place)) {
      targets->push_back(Target{.member = place, .asked_us = now.steady_us});
      if (sets != nullptr) targets->back().grants = sets->sets[0].has(place);
    } else {
      uncovered->push_back(place);
    }
  }
  if (uncovered->empty() || !now.view.keyspaces[key.keyspace].sloppy) return;
  StandIns(now.view, key, sets).each([&](MemberIndex member) {
    if (!now.health.healthy(member)) return false;
    targets->push_back(
        Target{.member = member, .stands_for = (*uncovered)[0], .asked_us = now.steady_us});
    uncovered->erase_at(0);
    return uncovered->empty();
  });
  KVORUM_CHECK(targets->size() + uncovered->size() == places.size());
}

bool lacks_newcomers(const Whereabouts& now, const KeyRef& key) {
  if (!now.health.expects_any(now.steady_us)) return false;
  const bool reads = now.purpose == Purpose::kRead;
  const auto lacks = [&](Places owners, size_t needed, bool voted) {
    size_t healthy = 0, expected = 0;
    for (const MemberIndex owner : owners) {
      healthy += now.health.healthy(owner);
      expected += voted ? now.health.expected(owner, now.steady_us)
                        : now.health.brand_new(owner, now.steady_us);
    }
    return expected != 0 && healthy < needed;
  };
  const uint32_t partition = now.view.ring.partition_of(key.position);
  const SetsInPlay* const sets = now.view.sets_in_play(key.keyspace, partition);
  if (sets == nullptr) {
    const EffectiveQuorum quorum = now.view.quorum(key.keyspace);
    return lacks(now.view.primaries(key.keyspace, partition), reads ? quorum.r : quorum.w, true);
  }
  for (size_t at = 0; at < (reads ? sets->readable_sets : sets->sets.size()); ++at) {
    const OwnerSet& set = sets->sets[at];
    const Places owners{set.owners.begin(), set.owners.size()};
    if (lacks(owners, reads ? set.r : set.w, at < sets->readable_sets)) return true;
  }
  return false;
}

MemberIndex spare_fallback(const Whereabouts& now, const KeyRef& key, const Targets& targets) {
  if (!now.view.keyspaces[key.keyspace].sloppy) return kNoMember;
  const SetsInPlay* const sets =
      now.view.sets_in_play(key.keyspace, now.view.ring.partition_of(key.position));
  MemberIndex slow_one = kNoMember;
  MemberIndex found = kNoMember;
  StandIns(now.view, key, sets).each([&](MemberIndex member) {
    const bool asked = std::any_of(targets.begin(), targets.end(),
                                   [&](const Target& target) { return target.member == member; });
    if (asked || member == now.view.self || !now.health.healthy(member)) return false;
    if (!now.health.slow(member)) found = member;
    if (slow_one == kNoMember) slow_one = member;
    return found != kNoMember;
  });
  return found != kNoMember ? found : slow_one;
}

}  // namespace kvorum::cluster
