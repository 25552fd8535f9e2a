// SPDX-License-Identifier: Apache-2.0
// Records whose large body has a file of its own: how they are stored, read and replaced.
#include "tests/engine/large_file_fixture.h"

namespace kvorum::engine::testing {
namespace {

using Ids = std::vector<uint64_t>;

class FiledRecordTest : public LargeFileFixture {};

class Losses : public LossListener {
 public:
  void on_loss(uint8_t, uint32_t) override { ++count; }
  void on_loss_of_all() override { ++count; }
  int count = 0;
};

TEST_F(FiledRecordTest, IsStoredOnceItsBodyHasAFile) {
  const SharedBytes value = large();
  EXPECT_FALSE(table_->store_reader().awaits_file(key_));
  EXPECT_EQ(try_put(key_, value).access, Access::kNotResident);
  EXPECT_FALSE(table_->commits().has_dirty());
  EXPECT_TRUE(body_of(key_).empty());
  EXPECT_TRUE(table_->store_reader().awaits_file(key_));
  EXPECT_FALSE(table_->store_reader().awaits_file(key_ref("other")));
  ASSERT_TRUE(table_->store_reader().load(key_).ok());
  EXPECT_FALSE(table_->store_reader().awaits_file(key_));
  EXPECT_TRUE(body_of(key_).empty());
  EXPECT_EQ(try_put(key_, value).access, Access::kDone);
  EXPECT_EQ(body_of(key_).owner, value);
  commit();
  EXPECT_LT(stored(key_).size(), 100U);
  EXPECT_EQ(*files_->read(reference_of(key_)).value(), *value);
}

TEST_F(FiledRecordTest, WhatWasThereStaysUntilThen) {
  put_small(key_);
  const SharedBytes value = large();
  EXPECT_EQ(try_put(key_, value).access, Access::kNotResident);
  EXPECT_EQ(get(*table_, key_), "small");
  put(key_, value);
  EXPECT_EQ(body_of(key_).owner, value);
}

TEST_F(FiledRecordTest, IsSmallInABatch) {
  uint64_t most = 0;
  for (char name = 'a'; name < 'e'; ++name) put(key_ref(std::string(1, name)), large(name));
  commit();
  for (const auto& [key, value] : store_.values()) most = std::max<uint64_t>(most, value.size());
  EXPECT_EQ(store_.writes(), 1U);
  EXPECT_LT(most, 100U);
}

TEST_F(FiledRecordTest, IsInMemoryAfterAStart) {
  put(key_, large('s'));
  commit();
  start();
  EXPECT_TRUE(holds(key_, 's'));
  EXPECT_EQ(table_->live_count(0, 0), 1U);
  EXPECT_EQ(table_->store_reader().damaged_count(), 0U);
}

TEST_F(FiledRecordTest, IsNotReadByAStartWithoutRoomForIt) {
  put(key_, large('s'));
  commit();
  memory_bytes_max_ = kLarge / 2;
  const FileReference file = reference_of(key_);
  std::filesystem::rename(path_of(file), directory_.path() + "/hidden");
  start();
  std::filesystem::rename(directory_.path() + "/hidden", path_of(file));
  EXPECT_EQ(table_->store_reader().damaged_count(), 0U);
  EXPECT_EQ(table_->live_count(0, 0), 1U);
  EXPECT_EQ(access_of(key_), Access::kNotResident);
  ASSERT_TRUE(table_->store_reader().load(key_).ok());
  EXPECT_TRUE(holds(key_, 's'));
}

TEST_F(FiledRecordTest, IsReadAgainAfterItWasEvicted) {
  memory_bytes_max_ = 3 * kLarge;
  start();
  for (char name = 'a'; name < 'i'; ++name) {
    put(key_ref(std::string(1, name)), large(name));
    commit(true);
  }
  evict(key_ref("a"));
  ASSERT_TRUE(table_->store_reader().load(key_ref("a")).ok());
  EXPECT_TRUE(holds(key_ref("a"), 'a'));
  EXPECT_EQ(put_deadline(key_ref("a"), 5000).access, Access::kDone);
  commit(true);
  EXPECT_EQ(ids_at_the_end().size(), 8U);
}

TEST_F(FiledRecordTest, ABodyThatFollowsItselfKeepsItsFile) {
  put(key_, large());
  commit();
  const FileReference file = reference_of(key_);
  ASSERT_EQ(put_deadline(key_, 5000).access, Access::kDone);
  table_->expire(6000, 10, [](const KeyRef&, const RecordView&) {
    RecordChange change;  // kept until later
    change.deadline_ms = 9000;
    return change;
  });
  table_->sweep(0, 0, [&](const KeyRef&, const RecordView& record) {
    RecordChange change = change_to(record.body->bytes, &record.body->owner);
    change.head = record.bytes;
    return change;
  });
  commit(true);
  EXPECT_EQ(reference_of(key_), file);
  EXPECT_EQ(ids_at_the_end(), Ids{file.id});
}

TEST_F(FiledRecordTest, TheFileOfWhatWasReplacedGoesOnceThatIsSynced) {
  put(key_, large('a'));
  commit(true);
  const FileReference first = reference_of(key_);
  put(key_, large('b'));
  commit(false);
  const FileReference second = reference_of(key_);
  EXPECT_EQ(ids(), (Ids{first.id, second.id}));
  table_->commits().note_synced(table_->commits().committed());
  EXPECT_EQ(ids_at_the_end(), Ids{second.id});
}

TEST_F(FiledRecordTest, TheFileOfWhatWasErasedGoesOnceThatIsSynced) {
  put(key_, large('a'));
  commit(true);
  remove(key_);
  commit(true);
  EXPECT_EQ(ids_at_the_end(), Ids{});
}

TEST_F(FiledRecordTest, TheFileOfWhatExpiredGoesOnceThatIsSynced) {
  put(key_, large('a'), 5000);
  commit(true);
  table_->expire(6000, 10, [](const KeyRef&, const RecordView&) {
    RecordChange change;
    change.action = RecordChange::Action::kErase;
    return change;
  });
  commit(true);
  EXPECT_EQ(stored(key_), "");
  EXPECT_EQ(ids_at_the_end(), Ids{});
}

TEST_F(FiledRecordTest, BeforeTheSyncNoFileGoes) {
  for (const char* name : {"replaced", "erased", "small"}) put(key_ref(name), large('a'));
  commit(true);
  put(key_ref("replaced"), large('b'));
  remove(key_ref("erased"));
  put_small(key_ref("small"));
  commit(false);
  table_->commits().note_synced(table_->commits().committed() - 1);
  EXPECT_EQ(ids_at_the_end().size(), 4U);
}

TEST_F(FiledRecordTest, ARoundThatFailedKeepsTheFileThatTheStoreNames) {
  put(key_, large('a'));
  commit(true);
  const FileReference first = reference_of(key_);
  put(key_, large('b'));
  store_.set_broken(true);
  EXPECT_FALSE(table_->commits().commit(true).ok());
  store_.set_broken(false);
  table_->store_health().recover();
  EXPECT_EQ(ids().size(), 2U);
  EXPECT_EQ(reference_of(key_), first);
  commit(true);
  const FileReference second = reference_of(key_);
  EXPECT_NE(second, first);
  EXPECT_EQ(ids_at_the_end(), Ids{second.id});
}

TEST_F(FiledRecordTest, AFileThatCannotBeWrittenIsAFault) {
  const SharedBytes value = large();
  EXPECT_EQ(try_put(key_, value).access, Access::kNotResident);
  std::filesystem::rename(directory_.path(), directory_.path() + "-away");
  EXPECT_EQ(table_->store_reader().load(key_).code(), Code::kIoError);
  std::filesystem::rename(directory_.path() + "-away", directory_.path());
  EXPECT_EQ(table_->store_health().faults().writes_failed, 1U);
  EXPECT_EQ(access_of(key_), Access::kDone);
  put(key_, value);
  EXPECT_EQ(body_of(key_).owner, value);
}

TEST_F(FiledRecordTest, ADiskThatIsFullIsAFault) {
  put(key_, large());
  commit();
  FileReference next = reference_of(key_);
  ++next.id;
  std::filesystem::create_symlink("/dev/full", path_of(next) + ".new");
  EXPECT_EQ(try_put(key_, large('n')).access, Access::kNotResident);
  EXPECT_EQ(table_->store_reader().load(key_).code(), Code::kNoSpace);
  EXPECT_EQ(table_->store_health().faults().disk_full, 1U);
  EXPECT_TRUE(holds(key_, 'v'));
}

TEST_F(FiledRecordTest, ADamagedFileIsDamageToWhoLoadsIt) {
  put(key_, large());
  commit();
  memory_bytes_max_ = kLarge / 2;
  start();
  damage(reference_of(key_));
  EXPECT_EQ(table_->store_reader().load(key_).code(), Code::kCorruption);
  EXPECT_EQ(table_->store_health().faults().damage_met, 1U);
  EXPECT_EQ(access_of(key_), Access::kNotResident);
}

TEST_F(FiledRecordTest, ADamagedFileIsLostWhereThereAreOtherCopies) {
  put(key_, large());
  commit();
  memory_bytes_max_ = kLarge / 2;
  start();
  Losses losses;
  table_->store_health().set_loss_listener(&losses);
  damage(reference_of(key_));
  EXPECT_TRUE(table_->store_reader().load(key_).ok());
  EXPECT_EQ(losses.count, 1);
  EXPECT_EQ(access_of(key_), Access::kDone);
  commit(true);
  EXPECT_EQ(stored(key_), "");
  EXPECT_EQ(ids_at_the_end(), Ids{});
}

TEST_F(FiledRecordTest, AReferenceThatMakesNoSenseIsDamage) {
  store_.set(store_key(key_), std::string("\x80short"));
  start();
  EXPECT_EQ(table_->store_reader().damaged_count(), 1U);
}

TEST_F(FiledRecordTest, WhatWasStoredInOnePieceIsReadAndGetsItsFileWithTheNextUpdate) {
  without_files_ = true;
  start();
  for (char name = 'a'; name < 'i'; ++name) put(key_ref(std::string(1, name)), large(name));
  commit();
  without_files_ = false;
  memory_bytes_max_ = 3 * kLarge;
  start();
  std::string name = "a";
  while (access_of(key_ref(name)) == Access::kDone) ++name[0];
  const KeyRef key = key_ref(name);
  EXPECT_GT(stored(key).size(), kLarge);
  ASSERT_TRUE(table_->store_reader().load(key).ok());
  EXPECT_TRUE(holds(key, name[0]));
  EXPECT_TRUE(ids().empty());
  EXPECT_EQ(put_deadline(key, 5000).access, Access::kNotResident);
  ASSERT_TRUE(table_->store_reader().load(key).ok());
  EXPECT_EQ(put_deadline(key, 5000).access, Access::kDone);
  EXPECT_TRUE(holds(key, name[0]));
  commit();
  EXPECT_LT(stored(key).size(), 100U);
  EXPECT_EQ(ids(), Ids{reference_of(key).id});
}

}  // namespace
}  // namespace kvorum::engine::testing
