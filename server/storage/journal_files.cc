// SPDX-License-Identifier: Apache-2.0
#include "server/storage/journal_files.h"

#include <fmt/format.h>

#include <utility>

#include "engine/journal/journal_directory.h"
#include "server/process/logging.h"

namespace kvorum::server {

Result<std::unique_ptr<engine::JournaledStore>> open_journaled(
    const engine::JournalOptions& options, const JournalPlace& place,
    std::unique_ptr<engine::Store> below, std::string* damage) {
  const auto failed = [&place](const Status& status) {
    return Status(status.code(), fmt::format("cannot open the journal in {}: {}", place.directory,
                                             status.message()));
  };
  // Only a sync that somebody waits for is worth writing zeros first.
  auto disk =
      engine::JournalDirectory::open(place.directory, place.sync == engine::SyncPolicy::kAlways);
  if (!disk.ok()) return failed(disk.status());
  auto opened =
      engine::JournaledStore::open(options, std::move(disk).value(), std::move(below), damage);
  if (!opened.ok()) return failed(opened.status());
  return std::move(opened).value();
}

std::function<void(const Status&)> checkpoint_log(std::string of) {
  return [of = std::move(of), last = std::string()](const Status& status) mutable {
    if (status.ok() || status.message() == last) return;
    last = status.message();
    log_error("a checkpoint of the {} failed: {}; writes go on in their journal until it is full",
              of, last);
  };
}

}  // namespace kvorum::server
