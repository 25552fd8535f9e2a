// SPDX-License-Identifier: Apache-2.0
// What is known, what of it is kept, and what has an effect.
#include "cluster/copies/shared_history.h"

#include <gmock/gmock.h>

#include "tests/cluster/random_history.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr NodeId kNew = 100;
constexpr int kPartitionBits = 4;

std::shared_ptr<const ClusterView> first_view(uint32_t founders) {
  return std::make_shared<const ClusterView>(found_view(make_founding(founders), "n0"));
}

struct SharedHistoryTest : ::testing::Test {
  explicit SharedHistoryTest(uint32_t founders = 3, size_t reactors = 2)
      : history(make_founding(founders)),
        shared({founder(history, 0), reactors}, history, first_view(founders)) {
    shared.set_on_view([this] {
      ++views;
      seen_members = shared.view()->members.size();  // no lock is held
    });
  }

  // Writes go nowhere until a test says that they are kept.
  void keep_by_hand() {
    shared.set_keeper([this](uint64_t number, const std::shared_ptr<const History>& kept) {
      numbers.push_back(number);
      EXPECT_TRUE(shared.known().merge(*kept) == false) << "no more than is known";
      kept_changes.push_back(kept->changes().size());
    });
  }
  Change join(uint64_t hlc, NodeId id = kNew) {
    return make_join(hlc, id, "m" + std::to_string(id));
  }
  size_t effective_changes() const { return shared.history()->changes().size(); }
  std::string difference_of(const History& other) {
    std::string buckets, difference;
    encode_buckets(shared.known(), buckets);
    EXPECT_TRUE(encode_difference(other, buckets, difference));
    return difference;
  }

  const History history;
  SharedHistory shared;
  int views = 0;
  size_t seen_members = 0;
  std::vector<uint64_t> numbers;
  std::vector<size_t> kept_changes;  // of each write
};

TEST_F(SharedHistoryTest, BeginsWithItsFirstView) {
  EXPECT_EQ(shared.view()->hash(), first_view(3)->hash());
  EXPECT_EQ(shared.history()->digest(), history.digest());
  EXPECT_EQ(shared.generation(), shared.view()->generation);
  EXPECT_TRUE(shared.is_adopted(*shared.view())) << "all machines begin with it";
  EXPECT_EQ(views, 0);
}

TEST_F(SharedHistoryTest, WithoutAKeeperAllHasItsEffectAtOnce) {
  const uint64_t before = shared.generation();
  shared.add(join(5));
  EXPECT_EQ(views, 1);
  EXPECT_EQ(seen_members, 4u);
  EXPECT_EQ(shared.generation(), before + 1);
  EXPECT_EQ(shared.view()->generation, before + 1);
  EXPECT_EQ(shared.view()->newest_set, shared.known().newest());
  EXPECT_EQ(shared.history()->digest(), shared.known().digest());
}

TEST_F(SharedHistoryTest, WhatIsKnownHasNoEffectBeforeItIsKept) {
  keep_by_hand();
  const uint64_t before = shared.generation();
  shared.add(join(5));
  EXPECT_THAT(kept_changes, ElementsAre(1u));
  EXPECT_EQ(shared.known().changes().size(), 1u);
  EXPECT_EQ(shared.highest_change(), Hlc{5}) << "what comes next is above it";
  EXPECT_EQ(effective_changes(), 0u);
  EXPECT_EQ(shared.view()->members.size(), 3u);
  EXPECT_EQ(shared.generation(), before);
  EXPECT_EQ(views, 0);
  shared.kept(numbers[0]);
  EXPECT_EQ(effective_changes(), 1u);
  EXPECT_EQ(shared.view()->members.size(), 4u);
  EXPECT_EQ(shared.generation(), before + 1);
  EXPECT_EQ(views, 1);
  EXPECT_THAT(numbers, SizeIs(1)) << "nothing is left to keep";
}

TEST_F(SharedHistoryTest, WhatComesDuringAWriteGoesWithTheNextOne) {
  keep_by_hand();
  shared.add(join(5, 100));
  shared.add(join(6, 101));
  shared.add(join(7, 102));
  EXPECT_THAT(kept_changes, ElementsAre(1u)) << "one write at a time";
  shared.kept(numbers[0]);
  EXPECT_EQ(effective_changes(), 1u) << "no more than was written";
  EXPECT_THAT(kept_changes, ElementsAre(1u, 3u));
  EXPECT_GT(numbers[1], numbers[0]);
  EXPECT_EQ(views, 1);
  shared.kept(numbers[1]);
  EXPECT_EQ(effective_changes(), 3u);
  EXPECT_EQ(views, 2);
  EXPECT_THAT(numbers, SizeIs(2));
}

TEST_F(SharedHistoryTest, AnEarlierWriteSaysNothingOfALaterOne) {
  keep_by_hand();
  shared.kept(7);  // there was none
  EXPECT_EQ(views, 0);
  shared.add(join(5, 100));
  shared.add(join(6, 101));
  shared.kept(numbers[0]);
  shared.kept(numbers[0]);
  EXPECT_EQ(effective_changes(), 1u);
  EXPECT_EQ(views, 1);
  shared.kept(numbers[1]);
  shared.kept(numbers[1]);
  EXPECT_EQ(effective_changes(), 2u);
  EXPECT_EQ(views, 2);
}

TEST_F(SharedHistoryTest, WhatIsKnownAlreadyIsNotKeptAgain) {
  shared.add(join(5));
  const Fact vote = Fact::vote(1, founder(history, 1), shared.known().newest());
  shared.add(std::vector<Fact>{vote});
  keep_by_hand();
  const int before = views;
  const uint64_t generation = shared.generation();
  shared.add(join(5));
  shared.add(std::vector<Fact>{vote});
  shared.add(std::vector<Fact>{});
  shared.add(std::vector<Fact>{Fact::vote(2, 1, 4711)});  // of a set that nobody knows
  shared.merge(shared.known());
  shared.merge(history);
  EXPECT_TRUE(shared.merge_difference(""));
  EXPECT_THAT(numbers, IsEmpty());
  EXPECT_EQ(views, before);
  EXPECT_EQ(shared.generation(), generation);
}

TEST_F(SharedHistoryTest, FactsComeInBunches) {
  shared.add(join(5));
  keep_by_hand();
  const SetId newest = shared.known().newest();
  shared.add({Fact::vote(1, founder(history, 1), newest), Fact::vote(1, 4711, 4711),
              Fact::vote(2, founder(history, 1), newest)});
  ASSERT_THAT(numbers, SizeIs(1)) << "one write for all of them";
  EXPECT_THAT(shared.history()->facts(), IsEmpty()) << "a vote is on disk before it is heard";
  shared.kept(numbers[0]);
  EXPECT_THAT(shared.history()->facts(), SizeIs(2)) << "but not the one of an unknown set";
}

TEST_F(SharedHistoryTest, LearnsAllThatAnotherNodeKnows) {
  History other = history;
  other.add(join(5, 100));
  shared.add(join(6, 101));
  shared.merge(other);
  EXPECT_EQ(effective_changes(), 2u);
  EXPECT_EQ(views, 2);
  EXPECT_EQ(seen_members, 5u);
  other.add(join(7, 102));
  EXPECT_TRUE(shared.merge_difference(difference_of(other)));
  EXPECT_EQ(effective_changes(), 3u);
  EXPECT_EQ(views, 3);
}

TEST_F(SharedHistoryTest, ADifferenceThatIsMalformedOrOfAnotherClusterChangesNothing) {
  History other = history;
  other.add(join(5));
  const std::string difference = difference_of(other);
  History stranger(make_founding(5));
  stranger.add(join(5));
  std::string elsewhere, buckets;
  encode_buckets(History(make_founding(5)), buckets);
  ASSERT_TRUE(encode_difference(stranger, buckets, elsewhere));
  for (const std::string_view bytes :
       {std::string_view(difference).substr(0, difference.size() - 1),
        std::string_view(difference).substr(0, 7), std::string_view(elsewhere)}) {
    EXPECT_FALSE(shared.merge_difference(bytes)) << bytes.size();
  }
  EXPECT_EQ(shared.known().digest(), history.digest());
  EXPECT_EQ(views, 0);
}

TEST_F(SharedHistoryTest, AViewIsAdoptedOnceAllReactorsWorkByIt) {
  shared.add(join(5, 100));
  const std::shared_ptr<const ClusterView> earlier = shared.view();
  shared.add(join(6, 101));
  const std::shared_ptr<const ClusterView> later = shared.view();
  EXPECT_FALSE(shared.is_adopted(*earlier));
  shared.adopt(0, later->generation);
  EXPECT_FALSE(shared.is_adopted(*earlier));
  shared.adopt(1, earlier->generation);
  EXPECT_TRUE(shared.is_adopted(*earlier)) << "a later one is as good";
  EXPECT_FALSE(shared.is_adopted(*later));
  shared.adopt(1, later->generation);
  EXPECT_TRUE(shared.is_adopted(*later));
}

TEST_F(SharedHistoryTest, MembersKeepTheirIndexInEachView) {
  shared.add(join(5, 100));
  const std::shared_ptr<const ClusterView> before = shared.view();
  shared.add(join(4, 101));  // comes before it in the order that all have in common
  EXPECT_TRUE(shared.view()->follows(*before));
  EXPECT_EQ(shared.view()->find_id(100), 3);
  EXPECT_EQ(shared.view()->find_id(101), 4);
}

TEST(SharedHistoryOfNewcomer, BecomesAMemberWhenItIsAdmitted) {
  const History history(make_founding(3));
  SharedHistory shared({kNew, 1}, history,
                       std::make_shared<const ClusterView>(found_view(make_founding(3), "")));
  WholeReplicas whole(kPartitionBits, true);
  shared.set_whole(&whole);
  EXPECT_FALSE(shared.view()->is_member());
  shared.add(make_join(5, kNew, "new"));
  ASSERT_TRUE(shared.view()->is_member());
  EXPECT_EQ(shared.view()->self, 3);
  for (uint32_t partition = 0; partition < whole.partitions(); ++partition) {
    EXPECT_EQ(whole.is_whole(0, partition), !shared.view()->is_owner(3, 0, partition));
  }
  EXPECT_GT(whole.missing(), 0u);
}

// ---- which copies are whole

// Of four with three copies each: where one of the others leaves, this node owns more.
struct OwnedCopies : SharedHistoryTest {
  OwnedCopies() : SharedHistoryTest(4) { shared.set_whole(&whole); }

  bool owned(uint32_t partition) const { return first_view(4)->is_primary(0, 0, partition); }

  WholeReplicas whole{kPartitionBits, true};
};

TEST_F(OwnedCopies, OneThatBecomesOwnedIsNotWhole) {
  shared.add(make_change(5, ChangeKind::kLeave, founder(history, 1)));
  size_t more = 0;
  for (uint32_t partition = 0; partition < whole.partitions(); ++partition) {
    ASSERT_TRUE(shared.view()->is_owner(0, 0, partition));
    more += !owned(partition);
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      EXPECT_EQ(whole.is_whole(keyspace, partition), owned(partition));
    }
  }
  EXPECT_GT(more, 0u);
  EXPECT_LT(more, whole.partitions());
}

TEST_F(OwnedCopies, NotBeforeItIsKept) {
  keep_by_hand();
  shared.add(make_change(5, ChangeKind::kLeave, founder(history, 1)));
  EXPECT_EQ(whole.missing(), 0u);
  shared.kept(numbers[0]);
  EXPECT_GT(whole.missing(), 0u);
}

TEST_F(OwnedCopies, WhatIsFilledStaysWholeWhileItIsOwned) {
  shared.add(make_change(5, ChangeKind::kLeave, founder(history, 1)));
  for (uint32_t partition = 0; partition < whole.partitions(); ++partition) {
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      whole.set(keyspace, partition, true);
    }
  }
  whole.set(0, 3, false);  // for a reason of its own
  shared.add(make_change(6, ChangeKind::kRemove, founder(history, 2)));
  EXPECT_EQ(whole.missing(), 1u);
  EXPECT_FALSE(whole.is_whole(0, 3));
}

TEST_F(OwnedCopies, OfWhatIsNotOwnedAnyMoreNothingIsSaid) {
  for (uint32_t partition = 0; partition < whole.partitions(); ++partition) {
    whole.set(0, partition, false);
  }
  shared.add(make_change(5, ChangeKind::kLeave, founder(history, 0)));
  EXPECT_TRUE(shared.view()->is_owner(0, 0, 0) == owned(0)) << "old owners are in play";
  const SetId newest = shared.known().newest();
  for (uint32_t partition = 0; partition < whole.partitions(); ++partition) {
    shared.add({Fact::settled(partition, newest)});
    ASSERT_FALSE(shared.view()->is_owner(0, 0, partition));
    EXPECT_EQ(whole.is_whole(0, partition), owned(partition));
  }
}

// A node that starts while its copies are being filled has forgotten how far that was.
// A wiped node that learns of changes before its machines looked at its copies.
TEST_F(OwnedCopies, WhatIsNotOwnedIsForgivenWhateverReactorsKnow) {
  for (uint32_t partition = 0; partition < whole.partitions(); ++partition) {
    whole.set(0, partition, false);
  }
  shared.add(make_change(5, ChangeKind::kWeight, founder(history, 1)));
  size_t forgiven = 0;
  for (uint32_t partition = 0; partition < whole.partitions(); ++partition) {
    shared.forgive(0, partition);
    EXPECT_EQ(whole.is_whole(0, partition), !shared.view()->is_owner(0, 0, partition));
    forgiven += whole.is_whole(0, partition);
  }
  EXPECT_GT(forgiven, 0u);
  EXPECT_LT(forgiven, whole.partitions());
}

TEST(SharedHistoryAtStart, CopiesThatAreBeingFilledAreNotWhole) {
  History history(make_founding(4));
  history.add(make_change(5, ChangeKind::kLeave, founder(history, 1)));
  SetPlacements placements;
  const NodeId self = founder(history, 0);
  const auto first =
      std::make_shared<const ClusterView>(view_of(history, placements, nullptr, self));
  SharedHistory shared({self, 1}, history, first);
  WholeReplicas whole(kPartitionBits, true);
  shared.set_whole(&whole);
  size_t filled = 0;
  for (uint32_t partition = 0; partition < whole.partitions(); ++partition) {
    const auto readers = first->readers(0, partition);
    const bool reads = std::find(readers.begin(), readers.end(), first->self) != readers.end();
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      EXPECT_EQ(whole.is_whole(keyspace, partition), reads);
    }
    filled += !reads;
  }
  EXPECT_GT(filled, 0u);
  EXPECT_LT(filled, whole.partitions());
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
