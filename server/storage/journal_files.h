// SPDX-License-Identifier: Apache-2.0
// A store with its journal in a directory of its own.
#pragma once

#include <memory>
#include <string>

#include "engine/commit/committer.h"
#include "engine/journal/journaled_store.h"

namespace kvorum::server {

struct JournalPlace {
  std::string directory;
  engine::SyncPolicy sync = engine::SyncPolicy::kInterval;
};

// As JournaledStore::open().
Result<std::unique_ptr<engine::JournaledStore>> open_journaled(
    const engine::JournalOptions& options, const JournalPlace& place,
    std::unique_ptr<engine::Store> below, std::string* damage);

}  // namespace kvorum::server
