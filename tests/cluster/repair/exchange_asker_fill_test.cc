// SPDX-License-Identifier: Apache-2.0
// Stretches that are filled: whole objects for a copy that has none, on both sides.
#include <gmock/gmock.h>

#include "base/packed.h"
#include "cluster/repair/exchange_server.h"
#include "tests/cluster/repair/lone_asker.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr MemberIndex kPeer = LoneAsker::kPeer;
constexpr uint32_t kPartition = LoneAsker::kPartition;

// ---- who asks

class Fills : public ::testing::Test {
 protected:
  explicit Fills(const LoneShape& shape = {}) : lone(shape) {}

  RangeDigests asked(const Frame& frame) { return parsed(frame, parse_range_digests); }
  void add(const std::string& key, const Object& object) {
    std::string bytes;
    encode_object(object, bytes);
    put_page_item(page, {lone.ref(key).position.high, key, bytes});
  }
  bool answer(const Frame& question, uint64_t end = 0, Hlc frontier = {}) {
    std::string packed;
    pack(page, packed);
    return lone.differ(
        question,
        {.end = end, .lacked = {}, .items = stripped, .values = packed, .frontier = frontier});
  }
  std::vector<MessageType> sent() {
    std::vector<MessageType> types;
    for (const Frame& frame : lone.sent(kPeer)) types.push_back(frame.head.type);
    return types;
  }

  LoneAsker lone;
  std::string page, stripped;
};

TEST_F(Fills, AnEmptyStretchIsFilledAndTheExchangeClean) {
  const Frame question = lone.begin_range();
  EXPECT_TRUE(asked(question).wants_values);
  const std::vector<std::string> names = lone.keys_in(kPartition, 3);
  for (const std::string& name : names) add(name, lone.object_of(1, 7, "v"));
  ASSERT_TRUE(answer(question));
  for (const std::string& name : names) EXPECT_THAT(lone.own(name), ElementsAre("v"));
  EXPECT_EQ(lone.counters().keys_filled, 3u);
  EXPECT_EQ(lone.counters().keys_pulled, 3u);
  EXPECT_EQ(lone.counters().filled_bytes, page.size());
  const Frame done = lone.only(kPeer);
  EXPECT_EQ(done.head.type, MessageType::kExchangeDone);
  EXPECT_TRUE(lone.ended(done, false));
  EXPECT_TRUE(lone.noted(kPartition));
}

TEST_F(Fills, WhereSomethingIsHereItIsCompared) {
  lone.put_many(1);
  EXPECT_FALSE(asked(lone.begin_range()).wants_values);
}

TEST_F(Fills, PageAfterPage) {
  const Frame first = lone.begin_range();
  const std::vector<std::string> names = lone.keys_in(kPartition, 2);
  add(names[0], lone.object_of(1, 7, "v"));
  const uint64_t end = lone.ref(names[1]).position.high;
  ASSERT_TRUE(answer(first, end));
  const Frame second = lone.only(kPeer);
  EXPECT_EQ(asked(second).from, end);
  EXPECT_TRUE(asked(second).wants_values) << "from there on nothing is here";
}

TEST_F(Fills, MuchIsAskedForInSeveralPlacesAtOnce) {
  lone.begin_exchanges({{kPartition, 6}});
  const std::vector<Frame> questions = lone.sent(kPeer);
  ASSERT_THAT(questions, SizeIs(ExchangeAsker::kLanes));
  uint64_t from = lone.view->ring.start_of(kPartition).high;
  for (const Frame& question : questions) {
    EXPECT_EQ(asked(question).from, from) << "one behind the other";
    from = asked(question).end;
  }
  EXPECT_EQ(from, 0u) << "up to the partition's end";
}

TEST_F(Fills, ALargeObjectIsPulled) {
  const Frame question = lone.begin_range();
  const std::string large = lone.keys_in(kPartition, 1)[0];
  stripped = lone.item_of(large, lone.object_of(1, 7, "much"));
  ASSERT_TRUE(answer(question));
  const Frame pull = lone.only(kPeer);
  EXPECT_EQ(parsed(pull, parse_replica_read).key.key, large);
}

TEST_F(Fills, WhatCameMeanwhileIsMergedAndGoesBack) {
  const Frame question = lone.begin_range();
  const std::string key = lone.keys_in(kPartition, 1)[0];
  lone.put(key, lone.object_of(2, 9, "new"));
  add(key, lone.object_of(1, 7, "v"));
  ASSERT_TRUE(answer(question));
  EXPECT_THAT(lone.own(key), ::testing::UnorderedElementsAre("v", "new"));
  EXPECT_THAT(sent(), ElementsAre(MessageType::kReplicaRead)) << "repaired as any other";
}

TEST_F(Fills, WhatIsDeadByTheFrontierOfThePageIsNotKept) {
  const Frame question = lone.begin_range();
  const std::string key = lone.keys_in(kPartition, 1)[0];
  const Object old = lone.object_of(2, 1, "deleted");
  lone.put(key, old);
  add(key, lone.object_of(1, 7, "v"));
  ASSERT_TRUE(answer(question, 0, old.versions[0].dot.hlc.next()));
  EXPECT_THAT(lone.own(key), ElementsAre("v"));
}

TEST_F(Fills, DamageFailsTheExchange) {
  const auto failures = [&](const std::string& values) {
    const Frame question = lone.begin_range();
    EXPECT_TRUE(lone.differ(question, {.lacked = {}, .items = {}, .values = values}));
    const uint64_t failed = lone.counters().exchanges_failed;
    lone.link_down();
    return failed;
  };
  std::string damaged, nonsense, stranger;
  add(lone.keys_in(kPartition, 1)[0], lone.object_of(1, 7, "v"));
  pack(page, damaged);
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  EXPECT_EQ(failures(damaged), 1u);
  pack("no items", nonsense);
  EXPECT_EQ(failures(nonsense), 2u);
  page.clear();
  add(lone.keys_in(kPartition + 1, 1)[0], lone.object_of(1, 7, "v"));  // of another partition
  pack(page, stranger);
  EXPECT_EQ(failures(stranger), 3u);
}

TEST_F(Fills, AnAnswerWithoutValuesIsTakenKeyByKey) {
  const Frame question = lone.begin_range();
  const std::string key = lone.keys_in(kPartition, 1)[0];
  EXPECT_TRUE(
      lone.differ(question, {.lacked = {}, .items = lone.item_of(key, lone.object_of(1, 7, "v"))}));
  EXPECT_THAT(sent(), ElementsAre(MessageType::kReplicaRead));
}

struct HasFillStore {
  engine::testing::MapStore store;
};
struct StoredFills : HasFillStore, Fills {
  StoredFills() : Fills({.store = &store}) {}
};

TEST_F(StoredFills, CountOnceTheyAreCommitted) {
  const Frame question = lone.begin_range();
  add(lone.keys_in(kPartition, 1)[0], lone.object_of(1, 7, "v"));
  ASSERT_TRUE(answer(question));
  lone.live(100'000);
  EXPECT_THAT(sent(), IsEmpty());
  ASSERT_TRUE(lone.table.commits().commit(true).ok());
  lone.live(3'000);
  EXPECT_THAT(sent(), ElementsAre(MessageType::kExchangeDone));
}

// ---- who is asked

struct ServesFills : ::testing::Test {
  RangeDifferences answer(uint64_t from = 0) {
    RangeDigests question;
    question.partition = kPartition;
    question.from = from == 0 ? lone.view->ring.start_of(kPartition).high : from;
    question.wants_values = true;
    const FrameHead head{MessageType::kRangeDigests, 0, 0, 55};
    const Frame frame =
        lone.made([&](std::string& batch) { put_range_digests(batch, head, question); });
    EXPECT_TRUE(server.on_message(1, frame, lone.now));
    kept = lone.only(1);
    return parsed(kept, parse_range_differences);
  }
  std::vector<std::string> keys_of(const RangeDifferences& found) {
    std::vector<std::string> keys;
    std::vector<PageItem> items;
    EXPECT_TRUE(unpack(found.values, kPageValuesMax, bytes));
    EXPECT_TRUE(parse_page_items(bytes, &items));
    Object object;
    for (const PageItem& item : items) {
      EXPECT_TRUE(decode_object(item.object, object));
      keys.push_back(std::string(item.key) + "=" + std::string(object.versions[0].bytes));
    }
    return keys;
  }

  LoneCore lone;
  ExchangeServer server{lone.core};
  Frame kept;
  std::string bytes;
};

TEST_F(ServesFills, ObjectsWithTheirValues) {
  const std::vector<std::string> names = lone.keys_in(kPartition, 2);
  for (const std::string& name : names) lone.put(name, lone.object_of(0, 1, "v"));
  const RangeDifferences found = answer();
  EXPECT_THAT(keys_of(found), ElementsAre(names[0] + "=v", names[1] + "=v"));
  EXPECT_THAT(found.items, IsEmpty());
  EXPECT_EQ(found.end, 0u);
}

TEST_F(ServesFills, LargeOnesWithout) {
  const std::vector<std::string> names = lone.keys_in(kPartition, 2);
  lone.put(names[0], lone.object_of(0, 1, std::string(ScanPage::kWholeMax + 1, 'x')));
  lone.put(names[1], lone.object_of(0, 1, "v"));
  const RangeDifferences found = answer();
  EXPECT_THAT(keys_of(found), ElementsAre(names[1] + "=v"));
  std::vector<PageItem> items;
  ASSERT_TRUE(parse_page_items(found.items, &items));
  ASSERT_THAT(items, SizeIs(1));
  EXPECT_EQ(items[0].key, names[0]);
  EXPECT_LT(items[0].object.size(), 1000u);
}

TEST_F(ServesFills, APageIsBoundedWhateverTheObjectsAre) {
  const std::vector<std::string> names = lone.keys_in(kPartition, 600);
  for (const std::string& name : names) {
    lone.put(name, lone.object_of(0, 1, std::string(10'000, 'x')));
  }
  size_t found = 0, pages = 0;
  for (uint64_t from = 0; pages == 0 || from != 0; ++pages) {
    const RangeDifferences page = answer(from);
    found += keys_of(page).size();
    EXPECT_LT(bytes.size(), ScanPage::kValuesMax + 2 * ScanPage::kWholeMax);
    from = page.end;
    ASSERT_LT(pages, 100u);
  }
  EXPECT_EQ(found, 600u);
  EXPECT_GT(pages, 30u) << "of about 128 KiB each";
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
