// SPDX-License-Identifier: Apache-2.0
#include "cluster/ring/ring.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "cluster/spread/copy_places.h"

namespace kvorum::cluster {

Ring::Ring(std::vector<MemberIndex> owners, std::span<const Member> members, RingShape shape)
    : shape_(shape),
      partition_bits_(std::countr_zero(shape.partitions)),
      members_(static_cast<size_t>(
          std::count_if(members.begin(), members.end(),
                        [](const Member& member) { return member.is_placed(); }))),
      owners_(std::move(owners)) {
  KVORUM_CHECK(owners_.size() == shape.partitions);
  fill_preference_lists(members);
}

Ring Ring::found(std::span<const Member> founders, RingShape shape) {
  return Ring(place_founders(founders, shape), founders, shape);
}

Ring Ring::build(std::span<const Member> members_in_history_order, size_t founders,
                 RingShape shape) {
  KVORUM_CHECK(founders > 0 && founders <= members_in_history_order.size());
  Ring ring = found(members_in_history_order.first(founders), shape);
  for (size_t count = founders + 1; count <= members_in_history_order.size(); ++count) {
    ring = ring.joined(members_in_history_order.first(count));
  }
  return ring;
}

Ring Ring::of_owners(std::vector<MemberIndex> owners, std::span<const Member> members,
                     RingShape shape) {
  return Ring(std::move(owners), members, shape);
}

Ring Ring::joined(std::span<const Member> members) const {
  KVORUM_CHECK(members.size() == members_ + 1);
  return Ring(place_newcomer(owners_, members, shape_), members, shape_);
}

void Ring::fill_preference_lists(std::span<const Member> members) {
  std::vector<MemberIndex> idle;  // own nothing: last in every list
  for (size_t index = 0; index < members.size(); ++index) {
    if (!members[index].is_placed()) continue;
    const auto member = static_cast<MemberIndex>(index);
    if (std::find(owners_.begin(), owners_.end(), member) == owners_.end()) idle.push_back(member);
  }
  std::sort(idle.begin(), idle.end(),
            [&](MemberIndex a, MemberIndex b) { return members[a].id < members[b].id; });

  preferences_.reserve(owners_.size() * members_);
  std::vector<uint32_t> met(members.size(), 0);  // the last walk that met a member, plus one
  const size_t owning = members_ - idle.size();
  const PlaceNumbers places = place_numbers(members);
  const bool by_places = shape_.placement >= kPlacementMended;
  const auto copies = static_cast<uint32_t>(std::min<size_t>(shape_.spread - 1, owning));
  CopyPlaces copy_places(owners_, places, copies);
  for (uint32_t partition = 0; partition < owners_.size(); ++partition) {
    size_t found = 0;
    const auto chosen = by_places ? copy_places.of(partition) : std::span<const MemberIndex>();
    for (const MemberIndex owner : chosen) {
      met[owner] = partition + 1;
      preferences_.push_back(owner);
      ++found;
    }
    for (size_t step = 0; found < owning; ++step) {
      const MemberIndex owner = owners_[(partition + step) & (owners_.size() - 1)];
      KVORUM_CHECK(owner < members.size() && members[owner].is_placed());
      if (met[owner] == partition + 1) continue;
      met[owner] = partition + 1;
      preferences_.push_back(owner);
      ++found;
    }
    preferences_.insert(preferences_.end(), idle.begin(), idle.end());
  }
  KVORUM_CHECK(preferences_.size() == owners_.size() * members_);  // preference_list() counts on it
}

Position Ring::start_of(uint32_t partition) const {
  KVORUM_CHECK(partition < owners_.size());
  return {partition_bits_ == 0 ? 0 : uint64_t{partition} << (64 - partition_bits_), 0};
}

Position Ring::end_of(uint32_t partition) const {
  const uint64_t width_minus_one = partition_bits_ == 0 ? ~0ULL : ~0ULL >> partition_bits_;
  return {start_of(partition).high | width_minus_one, ~0ULL};
}

std::vector<std::string> validate(const Ring& ring, std::span<const Member> members) {
  for (const MemberIndex owner : ring.owners()) {
    if (owner >= members.size()) return {"a partition belongs to nobody"};
  }
  std::vector<std::string> problems =
      placement_problems(ring.owners(), members, ring.shape().spread);
  for (uint32_t partition = 0; partition < ring.partitions(); ++partition) {
    const auto list = ring.preference_list(partition);
    std::vector<bool> met(members.size(), false);
    for (const MemberIndex member : list) {
      if (member < met.size()) met[member] = true;
    }
    const bool complete =
        std::equal(met.begin(), met.end(), members.begin(),
                   [](bool is_met, const Member& member) { return is_met == member.is_placed(); });
    if (!complete || list.size() != ring.placed_members() ||
        list.front() != ring.owner(partition)) {
      problems.push_back("the preference list of partition " + std::to_string(partition) +
                         " is incomplete");
    }
  }
  return problems;
}

}  // namespace kvorum::cluster
