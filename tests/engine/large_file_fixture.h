// SPDX-License-Identifier: Apache-2.0
// An ObjectTable over a MapStore whose large bodies have files of their own.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "engine/store/large_files.h"
#include "engine/table/object_table.h"
#include "tests/engine/map_store.h"
#include "tests/engine/scratch_directory.h"
#include "tests/engine/test_records.h"

namespace kvorum::engine::testing {

// Digests see the head alone, as those of a node see no values.
class HeadCodec : public TestCodec {
 public:
  uint64_t digest(const KeyRef& key, RecordView record) const override {
    return digest_of(key.key, record.bytes.substr(0, 9));
  }
  bool from_portable(const KeyRef& key, std::string_view portable, std::string& head,
                     RecordChange* facts) const override {
    if (!TestCodec::from_portable(key, portable, head, facts)) return false;
    facts->digest_change = digest_of(key.key, head);
    return true;
  }
};

class LargeFileFixture : public ::testing::Test {
 protected:
  static constexpr size_t kLarge = 1024 * 1024;

  LargeFileFixture() { start(); }

  // A table over what store and directory hold now, as after a restart.
  void start() {
    table_.reset();
    files_ = LargeFiles::open({directory_.path()}).value();
    table_ = std::make_unique<ObjectTable>(options());
    ASSERT_TRUE(table_->store_reader().warm().ok());
  }
  TableOptions options() {
    TableOptions options;
    options.partition_bits = 0;
    options.memory_bytes_max = memory_bytes_max_;
    options.store = &store_;
    options.codec = &codec_;
    options.large_files = without_files_ ? nullptr : files_.get();
    options.keeps_unnamed_files = keeps_unnamed_files_;
    return options;
  }

  static SharedBytes large(char fill = 'v') { return share(std::string(kLarge, fill)); }
  UpdateResult try_put(const KeyRef& key, const SharedBytes& value, uint64_t deadline_ms = 0) {
    const std::string head = record_head(true, deadline_ms);
    return table_->update(key, [&](const RecordView& old) {
      RecordChange change = change_to(*value, &value);
      change.head = head;
      change.deadline_ms = deadline_ms;
      change.digest_change = codec_.digest(key, old) ^ digest_of(key.key, head);
      if (old.absent()) change.digest_change = digest_of(key.key, head);
      return change;
    });
  }
  static RecordChange change_to(std::string_view body, const SharedBytes* owner) {
    RecordChange change;
    change.action = RecordChange::Action::kStore;
    change.live = true;
    change.body = body;
    change.owner = owner;
    return change;
  }
  // As a node does it.
  Ticket put(const KeyRef& key, const SharedBytes& value, uint64_t deadline_ms = 0) {
    UpdateResult result = try_put(key, value, deadline_ms);
    for (int attempt = 0; attempt < 10 && result.access == Access::kNotResident; ++attempt) {
      EXPECT_TRUE(table_->store_reader().load(key).ok());
      result = try_put(key, value, deadline_ms);
    }
    EXPECT_EQ(result.access, Access::kDone);
    return result.ticket;
  }
  void put_small(const KeyRef& key) {
    EXPECT_TRUE(table_->store_reader().load(key).ok());
    const std::string head = record_head(true, 0) + "small";
    const UpdateResult result = table_->update(key, [&](const RecordView&) {
      RecordChange change = change_to({}, nullptr);
      change.head = head;
      return change;
    });
    EXPECT_EQ(result.access, Access::kDone);
  }
  // Where memory is short.
  void evict(const KeyRef& key) {
    constexpr int kTurnsMax = 1000;
    for (int turn = 0; turn < kTurnsMax && access_of(key) == Access::kDone; ++turn) {
      // Looking at the key would keep it.
      for (int update = 0; update < 50; ++update) put_small(key_ref("small"));
    }
    ASSERT_EQ(access_of(key), Access::kNotResident);
  }
  void remove(const KeyRef& key) {
    const UpdateResult result = table_->update(key, [&](const RecordView&) {
      RecordChange change;
      change.action = RecordChange::Action::kErase;
      return change;
    });
    EXPECT_EQ(result.access, Access::kDone);
  }
  // The body stored once more under a head with this deadline, as EXPIRE does.
  UpdateResult put_deadline(const KeyRef& key, uint64_t deadline_ms) {
    const std::string head = record_head(true, deadline_ms);
    return table_->update(key, [&](const RecordView& old) {
      RecordChange change = change_to(old.body->bytes, &old.body->owner);
      change.head = head;
      change.deadline_ms = deadline_ms;
      return change;
    });
  }
  void commit(bool sync = false) { ASSERT_TRUE(table_->commits().commit(sync).ok()); }

  Access access_of(const KeyRef& key) {
    return table_->read(key, [](const RecordView&) {});
  }
  // The body that stands apart; empty where there is none.
  SharedView body_of(const KeyRef& key) {
    SharedView body;
    table_->read(key, [&](const RecordView& record) {
      if (record.body != nullptr) body = *record.body;
    });
    return body;
  }
  bool holds(const KeyRef& key, char fill) {
    return body_of(key).bytes == std::string(kLarge, fill);
  }
  std::string stored(const KeyRef& key) {
    const auto values = store_.values();
    const auto it = values.find(store_key(key));
    return it == values.end() ? "" : it->second;
  }
  FileReference reference_of(const KeyRef& key) {
    const std::string value = stored(key);
    std::string_view rest = value;
    FileReference file;
    EXPECT_TRUE(take_file_reference(rest, &file));
    return file;
  }
  std::string path_of(const FileReference& file) const {
    char name[17];
    std::snprintf(name, sizeof name, "%016lx", static_cast<unsigned long>(file.id));
    return directory_.path() + "/" + name;
  }
  void damage(const FileReference& file) {
    std::filesystem::resize_file(path_of(file), kLarge / 2);
  }
  std::vector<uint64_t> ids() const {
    std::vector<uint64_t> ids = files_->ids().value();
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  // Without the table, whose thread removes what is due before it ends.
  std::vector<uint64_t> ids_at_the_end() {
    table_.reset();
    return ids();
  }

  uint64_t memory_bytes_max_ = 0;
  bool without_files_ = false;
  bool keeps_unnamed_files_ = false;
  ScratchDirectory directory_;
  HeadCodec codec_;
  MapStore store_;
  std::unique_ptr<LargeFiles> files_;
  std::unique_ptr<ObjectTable> table_;
  const KeyRef key_ = key_ref("k");
};

}  // namespace kvorum::engine::testing
