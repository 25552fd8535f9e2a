// SPDX-License-Identifier: Apache-2.0
// One process per data directory: a locked file in it that names its holder. The lock goes with the
// process, however that ends; the file stays. One thread: the one that starts the node.
#pragma once

#include <string>
#include <utility>

#include "base/status.h"

namespace kvorum::server {

class DirectoryLock {
 public:
  // Makes the directory where it is missing and takes the lock. kExists where another process holds
  // it; the error has what that wrote with describe().
  static Result<DirectoryLock> take(const std::string& directory);
  // Writes this process's id and the notes to the file.
  Status describe(const std::string& notes);

  DirectoryLock(DirectoryLock&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace kvorum::server
