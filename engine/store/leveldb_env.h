// SPDX-License-Identifier: Apache-2.0
// The file system as a LevelDbStore wants LevelDB to see it, where LevelDB alone is too trusting:
// - A log file that was left for a new one is not synced, so a later sync would not cover it; and
//   who syncs through LevelDB holds up all writes meanwhile. Here every log is opened once more,
//   for its syncs alone: they go beside the writes, and reach a log past its Close(), until what it
//   holds is on the disk or it was removed after its contents went into synced tables.
// - A table file that is missing reads as "key not found": here it is corruption.
// - Where no log is wanted they stay empty.
// - Tables are written in larger pieces than LevelDB's blocks.
// Owned by the store; any thread.
#pragma once

#include <leveldb/env.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/status.h"

namespace kvorum::engine {

// What went wrong, in our words. A full disk is told from other I/O errors.
Status to_status(const leveldb::Status& status);

// Puts the names in it on the disk, as far as that can be done.
void sync_directory(const std::string& directory);

class StoreEnv : public leveldb::EnvWrapper {
 public:
  StoreEnv(leveldb::Env* target, std::string directory, bool logged = true)
      : EnvWrapper(target), directory_(std::move(directory)), logged_(logged) {}

  leveldb::Status NewWritableFile(const std::string& name, leveldb::WritableFile** file) override;
  leveldb::Status NewRandomAccessFile(const std::string& name,
                                      leveldb::RandomAccessFile** file) override;
  leveldb::Status RemoveFile(const std::string& name) override;

  // Puts on the disk what was flushed to any log before the call.
  leveldb::Status sync_logs();
  // The logs of a database that is no more.
  void forget_logs();

 private:
  class LogFile;
  class EmptyFile;
  class TableFile;
  // A log's second handle.
  struct LogSync {
    Mutex mutex;  // of whoever syncs it
    std::unique_ptr<leveldb::WritableFile> file KVORUM_GUARDED_BY(mutex);
    std::atomic<bool> unsynced{false};
    std::atomic<bool> left{false};  // closed: nothing is appended any more
    // The directory entry is on the disk too.
    bool named KVORUM_GUARDED_BY(mutex) = false;
  };
  using Logs = std::map<std::string, std::shared_ptr<LogSync>>;

  leveldb::Status sync(LogSync& log) const;
  Logs logs();
  void forget(const std::string& name);

  const std::string directory_;
  const bool logged_;
  Mutex mutex_;
  Logs logs_ KVORUM_GUARDED_BY(mutex_);
};

}  // namespace kvorum::engine
