// SPDX-License-Identifier: Apache-2.0
#include "server/process/quarantine.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "base/base64url.h"
#include "server/process/logging.h"

namespace kvorum::server {

std::string quarantine_line(const cluster::Quarantined& version) {
  return fmt::format(R"({{"db":{},"key":"{}","value":"{}","written_ms":{},"node":"{:016x}"}})",
                     version.keyspace, base64url_encode(version.key),
                     base64url_encode(version.bytes), version.hlc.ms(), version.node);
}

void Quarantine::add(const std::vector<cluster::Quarantined>& versions) {
  if (versions.empty()) return;
  const MutexLock lock(lock_);
  count_.fetch_add(versions.size(), std::memory_order_relaxed);
  log_warning("{} versions that had been deleted long ago came back and were dropped{}{}",
              versions.size(), path_.empty() ? "" : ": see ", path_);
  std::error_code none;
  if (path_.empty()) return;
  const uint64_t size = std::filesystem::file_size(path_, none);
  if (!none && size > kFileBytesMax) return;
  std::ofstream file(path_, std::ios::app | std::ios::binary);
  for (const cluster::Quarantined& version : versions) file << quarantine_line(version) << '\n';
  file.flush();
  if (!file) log_error("cannot write to {}", path_);
}

}  // namespace kvorum::server
