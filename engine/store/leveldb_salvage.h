// SPDX-License-Identifier: Apache-2.0
// Saves what can still be read of a LevelDB database that is damaged: a table file with flipped
// bytes or none at all, a damaged log, manifest or CURRENT. Everything that is kept has passed its
// checksums. What was lost cannot be told: keys may be missing, or be as they were some time ago.
// Blocks for as long as reading all of the database takes; called by the store alone, with the
// database closed.
//
//   directory --hard links--> directory.salvage --logs replayed, tables repaired--> good
//   good: both change places at once; until then a crash leaves the original as it was
#pragma once

#include <leveldb/options.h>

#include <string>

#include "base/status.h"

namespace kvorum::engine {

struct SalvageOptions {
  leveldb::Options settings;  // those the database is opened with
  std::string directory;
  std::string erases;           // a key that is not kept; none where it is empty
  bool keeps_original = false;  // as directory.damaged-<n>
};

// Where the original was put; empty where it is gone. kNotFound where nothing could be read: then
// the directory is as it was.
Result<std::string> salvage_database(const SalvageOptions& options);

// Moves a database from which nothing can be read to directory.damaged-<n>; returns that name.
Result<std::string> set_aside(const std::string& directory);

// LevelDB would take a database whose CURRENT is gone for a new one, and remove its tables.
bool lacks_current(leveldb::Env& env, const std::string& directory);

}  // namespace kvorum::engine
