// SPDX-License-Identifier: Apache-2.0
// The kinds of tables that the contract tests run over, each with what stands beneath it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "engine/store/leveldb_store.h"
#include "engine/table/object_table.h"
#include "tests/engine/map_store.h"
#include "tests/engine/scratch_directory.h"
#include "tests/engine/test_records.h"

namespace kvorum::engine::testing {

enum class TableKind { kMemory, kMapStore, kLevelDb };
inline const std::vector<TableKind> kTableKinds = {TableKind::kMemory, TableKind::kMapStore,
                                                   TableKind::kLevelDb};

inline std::string name_of(TableKind kind) {
  switch (kind) {
    case TableKind::kMemory:
      return "Memory";
    case TableKind::kMapStore:
      return "MapStore";
    case TableKind::kLevelDb:
      return "LevelDb";
  }
  return {};
}

// A warm table with its store, if it has one.
class TableOnStore {
 public:
  TableOnStore(TableKind kind, TableOptions options) {
    switch (kind) {
      case TableKind::kMemory:
        break;
      case TableKind::kMapStore:
        store_ = std::make_unique<MapStore>();
        break;
      case TableKind::kLevelDb:
        open_leveldb();
        break;
    }
    options.store = store_.get();
    options.codec = &codec_;
    table_ = std::make_unique<ObjectTable>(options);
    if (store_) {
      EXPECT_TRUE(table_->store_reader().warm().ok());
    }
  }

  ObjectTable& table() { return *table_; }
  Store* store() { return store_.get(); }
  // Commits what is dirty.
  void settle() {
    if (store_) {
      EXPECT_TRUE(table_->commits().commit(false).ok());
    }
  }

 private:
  void open_leveldb() {
    LevelDbOptions options;
    options.directory = directory_.path();
    auto opened = LevelDbStore::open(options);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    store_ = std::move(opened).value();
  }

  ScratchDirectory directory_;
  TestCodec codec_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<ObjectTable> table_;
};

}  // namespace kvorum::engine::testing
