// SPDX-License-Identifier: Apache-2.0
// The file system as a LevelDbStore wants LevelDB to see it, where LevelDB alone is too trusting:
// - A log file that was left for a new one is not synced, so a later sync would not cover it: here
//   it stays open past its Close() until what it holds is on the disk, by a sync or because it was
//   removed after its contents went into synced tables.
// - A table file that is missing reads as "key not found": here it is corruption.
// Owned by the store; any thread.
#pragma once

#include <leveldb/env.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/status.h"

namespace kvorum::engine {

// What went wrong, in our words. A full disk is told from other I/O errors.
Status to_status(const leveldb::Status& status);

// Puts the names in it on the disk, as far as that can be done.
void sync_directory(const std::string& directory);

class StoreEnv : public leveldb::EnvWrapper {
 public:
  StoreEnv(leveldb::Env* target, std::string directory)
      : EnvWrapper(target), directory_(std::move(directory)) {}

  leveldb::Status NewWritableFile(const std::string& name, leveldb::WritableFile** file) override;
  leveldb::Status NewRandomAccessFile(const std::string& name,
                                      leveldb::RandomAccessFile** file) override;
  leveldb::Status RemoveFile(const std::string& name) override;

  leveldb::Status sync_kept();
  // The logs of a database that is no more.
  void forget_kept();

 private:
  class LogFile;

  void keep(const std::string& name, std::unique_ptr<leveldb::WritableFile> file);

  const std::string directory_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<leveldb::WritableFile>> kept_;
};

}  // namespace kvorum::engine
