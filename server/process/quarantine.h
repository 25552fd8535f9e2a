// SPDX-License-Identifier: Apache-2.0
// Versions that were dropped because they are dead: deleted long ago and brought back by a restored
// directory, or by a node that had been away for too long. Nobody is served them; a person may look
// for them here: one line of JSON each, appended to a file of the data directory. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "cluster/wire/outbox.h"

namespace kvorum::server {

class Quarantine {
 public:
  static constexpr uint64_t kFileBytesMax = 256 * 1024 * 1024;  // then lines are counted only

  // Without a path they are counted and logged.
  explicit Quarantine(std::string path) : path_(std::move(path)) {}

  void add(const std::vector<cluster::Quarantined>& versions);
  uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  const std::string path_;
  Mutex lock_;  // one writes to the file at a time
  std::atomic<uint64_t> count_{0};
};

// As it stands in the file; key and value in base64url.
std::string quarantine_line(const cluster::Quarantined& version);

}  // namespace kvorum::server
