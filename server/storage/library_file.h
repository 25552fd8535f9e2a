// SPDX-License-Identifier: Apache-2.0
// The libraries of functions that a node keeps on its disk, in the file `functions` of its data
// directory: written whole, synced and renamed, each time they have changed. One thread at a time;
// calls block for the disk.
//
//   "KVFN" version(1) checksum FunctionLibraries::put_all()
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "server/script/function_libraries.h"

namespace kvorum::server {

class LibraryFile {
 public:
  // The libraries outlive it. An empty directory: nothing is kept.
  LibraryFile(std::string directory, FunctionLibraries& libraries)
      : directory_(std::move(directory)), libraries_(libraries) {}

  // Nothing where there is no file. kCorruption: it is damaged, or of another version.
  Status read();
  // Nothing where nothing has changed since.
  Status save();

 private:
  std::string path() const { return directory_ + "/functions"; }

  const std::string directory_;
  FunctionLibraries& libraries_;
  uint64_t saved_ = 0;  // their generation
};

}  // namespace kvorum::server
