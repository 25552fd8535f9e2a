// SPDX-License-Identifier: Apache-2.0
#include "cluster/copies/hints.h"

#include <gmock/gmock.h>

#include "tests/engine/map_store.h"

namespace kvorum::cluster {
namespace {

using engine::Access;
using ::testing::ElementsAre;

Object object_of(uint64_t hlc, std::string_view bytes) {
  Version version;
  version.dot = {{1, 2, Hlc{3}}, Hlc{hlc}};
  version.bytes = bytes;
  Object object;
  update(object, Context{}, version);
  return object;
}

// One run of a node's hints: built anew over the same store, it is the next.
struct HintsFixture : ::testing::Test {
  explicit HintsFixture(Partitioner partitioner = Partitioner::kMd5) : partitioner_(partitioner) {
    start();
  }
  ~HintsFixture() override { stop(); }

  void start() {
    authors = std::make_unique<AuthorTable>();
    codec = std::make_unique<StoredRecordCodec>(authors.get(), 0);
    engine::TableOptions options = Hints::table_options(5);
    options.store = &store;
    options.codec = codec.get();
    table = std::make_unique<engine::ObjectTable>(options);
    ASSERT_TRUE(table->store_reader().warm().ok());
    hints =
        std::make_unique<Hints>(table.get(), authors.get(), HintOptions{partitioner_, bytes_max});
    hints->recover();
  }
  void stop() {
    hints.reset();
    table.reset();
  }
  void commit() { ASSERT_TRUE(table->commits().commit(true).ok()); }
  void kill() {
    stop();
    start();
  }

  HintKey key(NodeId target, const std::string& name) const {
    return {target, KeyRef{name, position_of(name, partitioner_), 3}};
  }
  std::vector<std::string> shown(NodeId target) const {
    std::vector<std::string> found;
    std::optional<HintPlace> place;
    while (hints->show_next(target, &place, [&](const HintKey& hint, const Object& object) {
      EXPECT_EQ(hint.target, target);
      EXPECT_EQ(hint.key.keyspace, 3);
      EXPECT_EQ(hint.key.position, position_of(hint.key.key, partitioner_));
      ASSERT_EQ(object.versions.size(), 1u);
      found.push_back(std::string(hint.key.key) + "=" + std::string(object.versions[0].bytes));
    })) {
    }
    return found;
  }

  const Partitioner partitioner_;
  uint64_t bytes_max = 0;
  engine::testing::MapStore store;
  std::unique_ptr<AuthorTable> authors;
  std::unique_ptr<StoredRecordCodec> codec;
  std::unique_ptr<engine::ObjectTable> table;
  std::unique_ptr<Hints> hints;
};

struct SlotHintsFixture : HintsFixture {
  SlotHintsFixture() : HintsFixture(Partitioner::kSlots) {}
};

TEST_F(HintsFixture, HintsForOneTargetAndKeyMerge) {
  EXPECT_EQ(hints->store(key(7, "k"), object_of(10, "old")).access, Access::kDone);
  EXPECT_EQ(hints->store(key(7, "k"), object_of(20, "new")).access, Access::kDone);
  EXPECT_EQ(hints->store(key(8, "k"), object_of(10, "old")).access, Access::kDone);
  EXPECT_EQ(hints->pending(), 2u);
  EXPECT_THAT(shown(8), ElementsAre("k=old"));
}

TEST_F(HintsFixture, AHintIsKeptOnceItsTicketIsCommitted) {
  const engine::UpdateResult result = hints->store(key(7, "k"), object_of(10, "v"));
  EXPECT_GT(result.ticket, hints->committed());
  commit();
  EXPECT_LE(result.ticket, hints->committed());
}

TEST_F(HintsFixture, AfterAKillTheyAreAllFoundAgainInTheirOrder) {
  hints->store(key(7, "c"), object_of(30, "3"));
  hints->store(key(7, "a"), object_of(10, "1"));
  hints->store(key(9, "x"), object_of(5, "0"));
  hints->store(key(7, "b"), object_of(20, "2"));
  commit();
  const uint64_t bytes = hints->ledger().bytes();
  hints->store(key(7, "lost"), object_of(40, "4"));
  kill();
  EXPECT_THAT(shown(7), ElementsAre("a=1", "b=2", "c=3"));
  EXPECT_THAT(shown(9), ElementsAre("x=0"));
  EXPECT_EQ(hints->pending(), 4u);
  EXPECT_EQ(hints->ledger().bytes(), bytes);
  EXPECT_EQ(hints->ledger().oldest(), Hlc{5});
}

TEST_F(HintsFixture, IsAsOldAsWhatIsOutvotedInIt) {
  Object object = object_of(10, "lost");
  update(object, Context{}, object_of(20, "newest").versions[0]);
  keep_newest(object);
  ASSERT_EQ(object.outvoted.size(), 1u);
  hints->store(key(7, "k"), object);
  EXPECT_EQ(hints->ledger().oldest(), Hlc{10});
  commit();
  kill();
  EXPECT_EQ(hints->ledger().oldest(), Hlc{10});
}

TEST_F(HintsFixture, ARemovalThatWasNotCommittedIsUndoneByAKill) {
  hints->store(key(7, "k"), object_of(10, "v"));
  commit();
  EXPECT_TRUE(hints->remove_delivered(key(7, "k"), object_of(10, "v").vector));
  EXPECT_EQ(hints->pending(), 0u);
  kill();
  EXPECT_THAT(shown(7), ElementsAre("k=v"));
  EXPECT_TRUE(hints->remove_delivered(key(7, "k"), object_of(10, "v").vector));
  commit();
  kill();
  EXPECT_EQ(hints->pending(), 0u);
  EXPECT_TRUE(store.values().empty());
}

// Its name in the table is longer than any key of a client.
TEST_F(HintsFixture, TheLongestKeyIsFoundAgainAndRemoved) {
  const std::string longest(kKeyBytesMax, 'k');
  hints->store(key(7, longest), object_of(10, "v"));
  commit();
  kill();
  EXPECT_THAT(shown(7), ElementsAre(longest + "=v"));
  EXPECT_TRUE(hints->remove_delivered(key(7, longest), object_of(10, "v").vector));
  commit();
  kill();
  EXPECT_EQ(hints->pending(), 0u);
}

TEST_F(HintsFixture, OnlyWhatWasDeliveredGoes) {
  hints->store(key(7, "k"), object_of(10, "v"));
  hints->store(key(7, "k"), object_of(20, "w"));
  EXPECT_FALSE(hints->remove_delivered(key(7, "k"), object_of(10, "v").vector));
  EXPECT_EQ(hints->pending(), 1u);
  EXPECT_TRUE(hints->remove_delivered(key(7, "absent"), VersionVector{})) << "gone already";
  table->store_health().fail();
  EXPECT_FALSE(hints->remove_delivered(key(7, "k"), object_of(20, "w").vector));
  EXPECT_EQ(hints->pending(), 1u);
  EXPECT_FALSE(hints->has_room_for(1)) << "a store that failed takes nothing";
  table->store_health().recover();
}

TEST_F(HintsFixture, OverTheQuotaNewOnesAreRefusedAndOldOnesStay) {
  bytes_max = 3 * HintLedger::kOverheadBytes;
  kill();
  EXPECT_EQ(hints->store(key(7, "a"), object_of(10, "1")).access, Access::kDone);
  EXPECT_TRUE(hints->has_room_for(1));
  EXPECT_EQ(hints->store(key(7, "b"), object_of(20, std::string(5000, 'x'))).access, Access::kFull);
  EXPECT_EQ(hints->store(key(7, "a"), object_of(30, std::string(5000, 'x'))).access, Access::kFull);
  EXPECT_EQ(hints->ledger().refused(), 2u);
  EXPECT_THAT(shown(7), ElementsAre("a=1"));
  EXPECT_EQ(hints->store_moved(key(8, "c"), object_of(20, std::string(5000, 'x'))).access,
            Access::kDone)
      << "it was here under another target";
  EXPECT_FALSE(hints->has_room_for(1));
  commit();
  kill();
  EXPECT_EQ(hints->pending(), 2u) << "also those over the quota are found again";
}

TEST_F(HintsFixture, WhatNobodyOfOursWroteIsPassedOver) {
  hints->store(key(7, "k"), object_of(10, "v"));
  commit();
  const std::string value = store.values().begin()->second;
  const auto plant = [&](const std::string& name) {
    engine::StoreBatch batch;
    const KeyRef ref{name, position_of(name), 0};
    batch.put(engine::store_key(ref), value);
    ASSERT_TRUE(store.write(batch, true).ok());
  };
  plant("short");
  plant(std::string(8, '\1') + '\xff' + "keyspace 255");
  plant(std::string(8, '\0') + '\3' + "for nobody");
  plant(std::string(8, '\1') + '\0');
  kill();
  EXPECT_THAT(shown(7), ElementsAre("k=v"));
  EXPECT_EQ(hints->pending(), 2u) << "an empty key is a key";
}

TEST_F(SlotHintsFixture, AreFoundUnderSlotPositionsToo) {
  for (int n = 0; n < 50; ++n) {
    const std::string name = "{tag}" + std::to_string(n);
    hints->store(key(7, name), object_of(static_cast<uint64_t>(n) + 10, "v"));
  }
  EXPECT_EQ(shown(7).size(), 50u);
  commit();
  kill();
  EXPECT_EQ(shown(7).size(), 50u);
}

}  // namespace
}  // namespace kvorum::cluster
