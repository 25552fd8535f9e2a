// SPDX-License-Identifier: Apache-2.0
// Random memberships for the properties of placement: a founding of 2 to 40 members with zones,
// racks and weights (in halves: 1 stands for 0.5), and changes of it. One seed gives one history on
// every machine. A draw never depends on where partitions are, so that two versions of placement
// walk through the same members.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/rng.h"
#include "cluster/ring/founding.h"
#include "cluster/ring/placement.h"

namespace kvorum::cluster::fixtures {

enum class Step : uint8_t { kFound, kJoin, kDepart, kWeight, kPlace };

class RandomMembership {
 public:
  static uint32_t partitions_of(uint64_t seed) {
    Rng rng(seed ^ kSalt);
    return draw_partitions(rng);
  }

  explicit RandomMembership(uint64_t seed, uint8_t placement = kPlacementNewest)
      : rng_(seed ^ kSalt) {
    shape_.partitions = draw_partitions(rng_);
    shape_.spread = static_cast<uint32_t>(rng_.between(2, 6));
    shape_.placement = placement;
    const uint64_t count = rng_.chance(0.5) ? rng_.between(2, 9) : rng_.between(2, 40);
    zones_ = rng_.between(1, 5);
    racks_ = rng_.between(1, 4);
    weight_max_ = rng_.chance(0.4) ? 1 : 8;
    while (members_.size() < count) add_member();
    owners_ = place_founders(members_, shape_);
  }

  // Makes one change. What was before it stands in former_owners().
  Step step() {
    former_ = owners_;
    const uint64_t draw = rng_.below(8), whom = rng_.next();
    if (draw < 3 && placed_count() < 40) {
      add_member();
      owners_ = place_newcomer(owners_, members_, shape_);
      return Step::kJoin;
    }
    Member& member = members_[nth_placed(whom % placed_count())];
    if (draw < 6 && placed_count() > 2) {
      member.standing = Standing::kRemoved;
      owners_ = place_without(owners_, members_, shape_);
      return Step::kDepart;
    }
    const bool weighs = draw < 7;
    if (weighs) {
      member.weight = static_cast<uint32_t>(rng_.between(1, 8));
    } else {
      stand_somewhere(member);
    }
    owners_ = place_again(owners_, members_, shape_);
    return weighs ? Step::kWeight : Step::kPlace;
  }

  const std::vector<Member>& members() const { return members_; }
  const std::vector<MemberIndex>& owners() const { return owners_; }
  const std::vector<MemberIndex>& former_owners() const { return former_; }
  RingShape shape() const { return shape_; }

  size_t placed_count() const {
    return static_cast<size_t>(std::count_if(
        members_.begin(), members_.end(), [](const Member& member) { return member.is_placed(); }));
  }

 private:
  static constexpr uint64_t kSalt = 0x706c616365;

  static uint32_t draw_partitions(Rng& rng) { return 64U << rng.below(5); }

  void add_member() {
    Member& member = members_.emplace_back();
    member.name = "n" + std::to_string(members_.size());
    member.id = founder_id(rng_.next(), member.name);
    member.weight = static_cast<uint32_t>(rng_.between(1, weight_max_));
    stand_somewhere(member);
  }
  // Mostly in turn, as people build clusters, and sometimes anywhere.
  void stand_somewhere(Member& member) {
    const uint64_t turn = rng_.chance(0.8) ? members_.size() : rng_.next();
    if (zones_ > 1) member.zone = "z" + std::to_string(turn % zones_);
    if (racks_ > 1) member.rack = "r" + std::to_string(turn / zones_ % racks_);
  }
  size_t nth_placed(size_t nth) const {
    for (size_t at = 0; at < members_.size(); ++at) {
      if (members_[at].is_placed() && nth-- == 0) return at;
    }
    return 0;
  }

  Rng rng_;
  RingShape shape_;
  uint64_t zones_ = 1, racks_ = 1, weight_max_ = 1;
  std::vector<Member> members_;
  std::vector<MemberIndex> owners_, former_;
};

}  // namespace kvorum::cluster::fixtures
