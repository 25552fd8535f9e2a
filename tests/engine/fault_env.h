// SPDX-License-Identifier: Apache-2.0
// The disk that a LevelDbStore sees in tests: the real one, that can be told to fail writes or
// syncs, to be full after so many bytes, and to forget what was not synced, as a power cut does.
// Any thread, for LevelDB compacts on one of its own.
#pragma once

#include <leveldb/env.h>

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace kvorum::engine::testing {

class FaultEnv : public leveldb::EnvWrapper {
 public:
  FaultEnv() : EnvWrapper(leveldb::Env::Default()) {}

  void fail_writes(bool on);
  void fail_tables(bool on);  // writes of table files only: logs stay the only copy
  void fail_syncs(bool on);
  // How many more bytes can be written; appending more writes what fits and fails. ~0: no limit.
  void set_bytes_left(uint64_t bytes);
  // Cuts every file to what was synced of it. No database may be open.
  void drop_unsynced();
  uint64_t syncs() const;
  // Called at the begin of each sync, with no lock held; to be set while nothing syncs.
  std::function<void()> on_sync;

  leveldb::Status NewWritableFile(const std::string& name, leveldb::WritableFile** file) override;
  leveldb::Status NewAppendableFile(const std::string& name, leveldb::WritableFile** file) override;
  leveldb::Status RemoveFile(const std::string& name) override;
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override;

 private:
  class File;
  struct Sizes {
    uint64_t written = 0;
    uint64_t synced = 0;
  };

  leveldb::Status append(const std::string& name, leveldb::WritableFile& file,
                         const leveldb::Slice& bytes);
  leveldb::Status sync(const std::string& name, leveldb::WritableFile& file);

  mutable std::mutex mutex_;
  std::map<std::string, Sizes> sizes_;
  bool writes_fail_ = false;
  bool tables_fail_ = false;
  bool syncs_fail_ = false;
  uint64_t bytes_left_ = ~uint64_t{0};
  uint64_t syncs_ = 0;
};

}  // namespace kvorum::engine::testing
