// SPDX-License-Identifier: Apache-2.0
#include "cluster/ring/placement.h"

#include <gmock/gmock.h>

#include <array>
#include <map>
#include <set>

#include "base/bytes.h"
#include "base/hash.h"
#include "cluster/ring/ring.h"
#include "cluster/spread/gap_cost.h"
#include "tests/cluster/ring/random_memberships.h"
#include "tests/cluster/test_members.h"

namespace kvorum::cluster {
namespace {

using fixtures::RandomMembership;
using fixtures::Step;
using ::testing::IsEmpty;

using Owners = std::vector<MemberIndex>;

constexpr uint32_t kHistories = 250, kSteps = 8;  // 2250 memberships
constexpr uint32_t kPartitionsMax = 128;          // of a random ring: larger ones take long

// A membership after a step of its history.
struct Placed {
  std::string name;  // seed and step
  Step step = Step::kFound;
  RingShape shape;
  std::vector<Member> members;
  Owners former, owners;
  Owners unmended;  // what the same change makes of `former` without mending
};

Owners place_unmended(const RandomMembership& membership, Step step) {
  RingShape shape = membership.shape();
  shape.placement = kPlacementUnmended;
  switch (step) {
    case Step::kFound:
      return place_founders(membership.members(), shape);
    case Step::kJoin:
      return place_newcomer(membership.former_owners(), membership.members(), shape);
    case Step::kDepart:
      return place_without(membership.former_owners(), membership.members(), shape);
    case Step::kWeight:
    case Step::kPlace:
      return place_again(membership.former_owners(), membership.members(), shape);
  }
  return {};
}

std::vector<Placed> make_memberships() {
  std::vector<Placed> all;
  for (uint64_t seed = 1; all.size() < kHistories * (kSteps + 1); ++seed) {
    if (RandomMembership::partitions_of(seed) > kPartitionsMax) continue;
    RandomMembership membership(seed);
    for (uint32_t at = 0; at <= kSteps; ++at) {
      const Step step = at == 0 ? Step::kFound : membership.step();
      all.push_back({"seed " + std::to_string(seed) + " step " + std::to_string(at), step,
                     membership.shape(), membership.members(), membership.former_owners(),
                     membership.owners(), place_unmended(membership, step)});
    }
  }
  return all;
}

const std::vector<Placed>& memberships() {
  static const std::vector<Placed> all = make_memberships();
  return all;
}

std::vector<int64_t> owned_by(const Owners& owners, size_t members) {
  std::vector<int64_t> owned(members, 0);
  for (const MemberIndex owner : owners) ++owned[owner];
  return owned;
}

int64_t moved(const Owners& before, const Owners& after) {
  int64_t count = 0;
  for (size_t at = 0; at < before.size(); ++at) count += before[at] != after[at];
  return count;
}

int64_t weight_of(const Member& member) { return member.is_placed() ? member.weight : 0; }

int64_t total_weight(std::span<const Member> members) {
  int64_t total = 0;
  for (const Member& member : members) total += weight_of(member);
  return total;
}

// How far above what is proven to be the best.
int64_t excess(const Owners& owners, std::span<const Member> members, uint32_t spread) {
  std::vector<uint32_t> owned(members.size(), 0);
  for (const MemberIndex owner : owners) ++owned[owner];
  const GapCost cost(place_numbers(members), owned, spread);
  return cost.total(owners) - cost.bound();
}

TEST(Placement, SharesAreWithinOnePartitionOfTheWeightsWhateverChanges) {
  for (const Placed& placed : memberships()) {
    const auto owned = owned_by(placed.owners, placed.members.size());
    const int64_t total = total_weight(placed.members);
    for (size_t at = 0; at < placed.members.size(); ++at) {
      const int64_t quota = placed.shape.partitions * weight_of(placed.members[at]);
      ASSERT_LE(std::abs(owned[at] * total - quota), total) << placed.name;
    }
  }
}

TEST(Placement, AJoinMovesItsShareAndFivePercentAtMost) {
  for (const Placed& placed : memberships()) {
    if (placed.step != Step::kJoin) continue;
    const int64_t partitions = placed.shape.partitions;
    const int64_t weight = weight_of(placed.members.back());
    const int64_t share = partitions * weight / total_weight(placed.members) + 1;
    ASSERT_LE(moved(placed.former, placed.owners), share + partitions / 20) << placed.name;
  }
}

TEST(Placement, AJoinLeavesNoOtherMemberWithMore) {
  for (const Placed& placed : memberships()) {
    if (placed.step != Step::kJoin) continue;
    const auto before = owned_by(placed.former, placed.members.size());
    const auto after = owned_by(placed.owners, placed.members.size());
    for (size_t at = 0; at + 1 < after.size(); ++at) ASSERT_LE(after[at], before[at]);
  }
}

TEST(Placement, MendingMovesFivePercentAtMost) {
  for (const Placed& placed : memberships()) {
    if (placed.step == Step::kFound) continue;
    ASSERT_LE(moved(placed.former, placed.owners),
              moved(placed.former, placed.unmended) + placed.shape.partitions / 20)
        << placed.name;
  }
}

TEST(Placement, MendingMakesNothingWorseAndLeavesAProvenRingAsItIs) {
  uint32_t proven = 0, better = 0;
  for (const Placed& placed : memberships()) {
    const int64_t before = excess(placed.unmended, placed.members, placed.shape.spread);
    const int64_t after = excess(placed.owners, placed.members, placed.shape.spread);
    ASSERT_GE(after, 0) << placed.name;
    ASSERT_LE(after, before) << placed.name;
    better += after < before;
    if (before > 0) continue;
    ++proven;
    ASSERT_EQ(placed.owners, placed.unmended) << placed.name;
  }
  EXPECT_GT(proven, 100U);  // else the second half says little
  EXPECT_GT(better, 1000U);
}

// Clusters as people build them: equal nodes, as many in each zone.
TEST(Placement, EvenClustersAreFoundedWithoutAProblem) {
  for (const uint32_t zones : {1U, 3U, 4U, 5U}) {
    for (uint32_t count = 2 * zones; count <= 30; count += zones) {
      if (count < 4) continue;
      const auto members = fixtures::make_members(count, {.racks = 0, .zones = zones});
      const Owners owners = place_founders(members, {256, 4});
      EXPECT_THAT(placement_problems(owners, members, 4), IsEmpty())
          << count << " in " << zones << " zones";
    }
  }
}

// Partitions that have two copies in one zone.
uint32_t crowded(const Ring& ring, const std::vector<Member>& members, size_t copies) {
  uint32_t count = 0;
  for (uint32_t partition = 0; partition < ring.partitions(); ++partition) {
    std::set<std::string> zones;
    for (const MemberIndex member : ring.primaries(partition, copies)) {
      zones.insert(members[member].zone);
    }
    count += zones.size() < copies;
  }
  return count;
}

// So a lost zone leaves two of three copies of each key: it can be read and written.
TEST(Placement, ThreeZonesHaveOneOfThreeCopiesEachFromTheFoundingOn) {
  for (uint32_t count = 3; count <= 30; ++count) {  // as many in each zone, or one more
    const auto members = fixtures::make_members(count, {.racks = 0, .zones = 3});
    EXPECT_EQ(crowded(Ring::found(members, {256, 4}), members, 3), 0U) << count;
  }
}

TEST(Placement, ThreeZonesHaveOneOfThreeCopiesEachWhileNodesComeAndGo) {
  auto members = fixtures::make_members(18, {.racks = 0, .zones = 3});
  const std::span<const Member> all(members);
  Ring ring = Ring::found(all.first(6), {256, 4});
  for (size_t count = 7; count <= 18; ++count) {
    ring = ring.joined(all.first(count));
    EXPECT_EQ(crowded(ring, members, 3), 0U) << count << " joined";
  }
  for (size_t gone = 0; gone < 12; ++gone) {
    members[gone].standing = Standing::kRemoved;
    const Owners before(ring.owners().begin(), ring.owners().end());
    ring = Ring::of_owners(place_without(before, members, ring.shape()), members, ring.shape());
    EXPECT_EQ(crowded(ring, members, 3), 0U) << gone + 1 << " removed";
  }
}

TEST(Placement, TheLoadOfAFailedNodeFallsOnMany) {
  for (const uint32_t count : {9U, 12U, 21U}) {
    const auto members = fixtures::make_members(count, {.racks = 0, .zones = 3});
    const Ring ring = Ring::found(members, {256, 4});
    for (MemberIndex failed = 0; failed < count; ++failed) {
      std::map<MemberIndex, uint32_t> successors;
      uint32_t owned = 0;
      for (uint32_t partition = 0; partition < 256; ++partition) {
        if (ring.owner(partition) != failed) continue;
        ++owned;
        ++successors[ring.preference_list(partition)[1]];
      }
      EXPECT_GE(successors.size(), 4U) << count << " " << members[failed].name;
      for (const auto& [member, times] : successors) {
        EXPECT_LE(times, owned / 2) << count << " " << members[failed].name;
      }
    }
  }
}

// A ring is computed anew at each start, so a cluster that was founded with the unmended placement
// must get the same one from every later version of the code. Each digest is of 25 histories.
TEST(PlacementKnownAnswers, TheUnmendedOneNeverChanges) {
  constexpr std::array kDigests = {0xa990bb8a8aa4d282ULL, 0x9370c492d7a81796ULL,
                                   0xec4b6e305807856dULL, 0xb1680425180d66b8ULL,
                                   0xf0bb4e832b45182aULL, 0x7fc3280ae20f4b79ULL};
  constexpr uint32_t kHistoriesEach = 25, kStepsEach = 6;
  uint64_t seed = 0;
  for (const uint64_t expected : kDigests) {
    uint64_t digest = 0;
    for (uint32_t taken = 0; taken < kHistoriesEach; ++taken) {
      while (RandomMembership::partitions_of(++seed) > kPartitionsMax) continue;
      RandomMembership membership(seed, kPlacementUnmended);
      for (uint32_t step = 0; step <= kStepsEach; ++step) {
        if (step > 0) membership.step();
        std::string text;
        for (const MemberIndex owner : membership.owners()) put_u16(text, owner);
        digest = digest * 1099511628211ULL ^ xxh64(text);
      }
    }
    EXPECT_EQ(digest, expected) << "up to seed " << seed;
  }
}

// The same of the mended one and of its copies, since clusters are founded with it.
TEST(PlacementKnownAnswers, TheMendedOneNeverChanges) {
  constexpr std::array kDigests = {0xbe33d86d0e43bd12ULL, 0x390b0abf48a54d3bULL,
                                   0x39df1d32b7f226c6ULL};
  constexpr uint32_t kHistoriesEach = 10, kStepsEach = 6, kCopies = 3;
  uint64_t seed = 1000;
  for (const uint64_t expected : kDigests) {
    uint64_t digest = 0;
    for (uint32_t taken = 0; taken < kHistoriesEach; ++taken) {
      while (RandomMembership::partitions_of(++seed) > kPartitionsMax) continue;
      RandomMembership membership(seed, kPlacementMended);
      for (uint32_t step = 0; step <= kStepsEach; ++step) {
        if (step > 0) membership.step();
        const Ring ring =
            Ring::of_owners(membership.owners(), membership.members(), membership.shape());
        std::string text;
        for (uint32_t partition = 0; partition < ring.partitions(); ++partition) {
          put_u16(text, ring.owner(partition));
          for (const MemberIndex copy : ring.primaries(partition, kCopies)) put_u16(text, copy);
        }
        digest = digest * 1099511628211ULL ^ xxh64(text);
      }
    }
    EXPECT_EQ(digest, expected) << "up to seed " << seed;
  }
}

}  // namespace
}  // namespace kvorum::cluster
