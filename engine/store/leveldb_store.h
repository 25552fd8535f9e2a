// SPDX-License-Identifier: Apache-2.0
// A Store in a LevelDB database: one directory, locked against a second process. Checksums are
// verified on every read. After one failed write or sync, and once damage was met, everything is
// refused until reopen() or salvage(); reads go on meanwhile. What was erased gives its disk space
// back by a thread of its own (leveldb_compaction.h). Made and owned by the server; threads
// as in store.h. What LevelDB alone would get wrong of files is put right in leveldb_env.h.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "engine/store/leveldb_compaction.h"
#include "engine/store/store.h"

namespace leveldb {
class Env;
}

namespace kvorum::engine {

struct LevelDbOptions {
  std::string directory;  // created where it is missing
  size_t block_cache_bytes = 32 * 1024 * 1024;
  size_t write_buffer_bytes = 8 * 1024 * 1024;
  bool compress = false;                        // Snappy costs a tenth of the CPU of a write
  // False: no log is written, and a sync makes a table of what is in memory. What was not synced is
  // lost from its end with the process, or by reopen(): for who has a journal of his own.
  bool logged = true;
  // Other nodes hold copies of all that is in it: what cannot be read may be given up.
  bool replicated = false;
  bool keeps_damaged = true;  // what salvage() could not read, beside the directory
  // Erased by a salvage: says something of all of the store that is not true any more.
  std::string salvage_erases;
  // Of what was erased: when and how its disk space is given back.
  CompactionOptions compaction = {};
  std::string log_file;         // LevelDB's own log; empty: none
  leveldb::Env* env = nullptr;  // not owned; null: the system's (tests inject faults)
};

class LevelDbStore : public Store {
 public:
  // kUnavailable where the directory is in use, kCorruption where it is damaged.
  static Result<std::unique_ptr<LevelDbStore>> open(const LevelDbOptions& options);
  // The same, but where it is damaged what can be read is saved (leveldb_salvage.h); *salvaged then
  // says what was done. kCorruption where nothing can be read and no other node holds copies.
  static Result<std::unique_ptr<LevelDbStore>> open_or_salvage(const LevelDbOptions& options,
                                                               std::string* salvaged);
  ~LevelDbStore() override;

  Status write(const StoreBatch& batch, bool sync) override;
  Status sync() override;
  Status read(std::string_view key, std::string* value) const override;
  // Damaged blocks are passed over; the kCorruption that tells of them comes at the end.
  Status scan(std::string_view begin, std::string_view end,
              FunctionRef<bool(std::string_view key, std::string_view value)> fn) const override;
  // Keeps the old database, for reads, until the disk takes what opening will write.
  Status reopen() override;
  Result<std::string> salvage(const Status& damage) override;

 private:
  struct Impl;  // with LevelDB, whose headers stay in this library
  explicit LevelDbStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace kvorum::engine
