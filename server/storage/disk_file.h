// SPDX-License-Identifier: Apache-2.0
// Small files of a data directory, read and written whole by blocking calls: an open descriptor,
// and what went wrong in words.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace kvorum::server {

class DiskFile {
 public:
  // `flags` of open(2). What is created belongs to the owner of the process alone.
  DiskFile(const std::string& path, int flags);
  ~DiskFile();
  DiskFile(const DiskFile&) = delete;

  bool is_open() const { return number_ >= 0; }
  int number() const { return number_; }
  // From where the descriptor stands.
  bool write_all(std::string_view bytes) const;
  bool write_all_at(std::string_view bytes, size_t offset) const;
  bool read_all(std::string* bytes) const;

 private:
  const int number_;
};

// The file of the directory has these bytes, all or nothing: written under another name first,
// synced and renamed. On disk when it returns.
Status replace_file(const std::string& directory, const std::string& path, std::string_view bytes);

// By errno: kNoSpace or kIoError, "cannot write /data/membership: No space left on device".
Status disk_failure(std::string_view doing, const std::string& path);

}  // namespace kvorum::server
