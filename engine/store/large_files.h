// SPDX-License-Identifier: Apache-2.0
// Large bodies in files of their own, beside a store whose log and tables they would be written to
// again and again (WiscKey, FAST'16, separates keys from values likewise). A file is written once,
// under a name that ends in .new until it is whole and on the disk, and its id is never given
// again. Who refers to which file is the business of the ObjectTable. Blocks on I/O. Any thread;
// one process per directory.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/shared_bytes.h"
#include "base/status.h"
#include "engine/store/file_reference.h"

namespace kvorum::engine {

struct LargeFilesOptions {
  std::string directory;  // created where it is missing
  bool sync = true;       // a file survives a power cut once it was written
};

class LargeFiles {
 public:
  // Removes what writes of an earlier process left unfinished.
  static Result<std::unique_ptr<LargeFiles>> open(const LargeFilesOptions& options);

  // kNoSpace where the disk is full; nothing is left of a file that was not written.
  Result<FileReference> write(std::string_view body);
  // kCorruption where the file is missing, or is not what was written.
  Result<SharedBytes> read(const FileReference& file) const;
  // One that is not there is no error. One that cannot be removed is found at the next start.
  void remove(uint64_t id) const;
  Result<std::vector<uint64_t>> ids() const;

 private:
  explicit LargeFiles(LargeFilesOptions options) : options_(std::move(options)) {}
  std::string path_of(uint64_t id) const;
  Status begin();
  Status write_file(const std::string& path, std::string_view body) const;
  Status sync_directory() const;

  const LargeFilesOptions options_;
  std::atomic<uint64_t> next_id_{1};
};

}  // namespace kvorum::engine
