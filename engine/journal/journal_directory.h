// SPDX-License-Identifier: Apache-2.0
// The slots of a journal as files of a directory, "00.journal" and so on. What is created is
// allocated at once; with `zeroes` it is also written, so that a sync of what is written later
// never has to record which blocks came into use.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "engine/journal/journal_disk.h"

namespace kvorum::engine {

class JournalDirectory final : public JournalDisk {
 public:
  // The directory is created where it is missing.
  static Result<std::unique_ptr<JournalDirectory>> open(std::string directory, bool zeroes);
  ~JournalDirectory() override;

  Result<std::vector<uint32_t>> slots() override;
  Status create(uint32_t slot, uint64_t bytes) override;
  Status remove(uint32_t slot) override;
  Status write(uint32_t slot, uint64_t at, std::span<const std::string_view> parts) override;
  Status sync(uint32_t slot) override;
  Result<std::string_view> read(uint32_t slot, uint64_t bytes_max) override;
  void done_reading() override;
  Result<std::string> set_aside() override;

 private:
  JournalDirectory(std::string directory, bool zeroes)
      : directory_(std::move(directory)), zeroes_(zeroes) {}
  std::string path_of(uint32_t slot) const;
  Status failure(const char* doing, const std::string& path) const;
  Result<int> file_of(uint32_t slot);  // its descriptor
  Status sync_directory() const;
  Status fill(int file, uint64_t bytes, const std::string& path) const;

  const std::string directory_;
  const bool zeroes_;
  Mutex files_lock_;
  std::map<uint32_t, int> files_ KVORUM_GUARDED_BY(files_lock_);  // descriptors, by slot
  std::deque<std::unique_ptr<char[]>> read_;                      // until done_reading()
};

}  // namespace kvorum::engine
