// SPDX-License-Identifier: Apache-2.0
// A store with its journal in a directory of its own.
#pragma once

#include <functional>
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

// For CommitterOptions::on_checkpoint_trouble: each trouble is a line of the log, and again only
// once it was another.
std::function<void(const Status&)> checkpoint_log(std::string of);

}  // namespace kvorum::server
