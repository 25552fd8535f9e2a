// SPDX-License-Identifier: Apache-2.0
#include "server/storage/membership_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/bytes.h"
#include "base/hash.h"
#include "server/storage/disk_file.h"
#include "server/storage/membership_log.h"

namespace kvorum::server {
namespace {

constexpr uint32_t kMagic = 0x4d4d564b;  // "KVMM"
constexpr uint8_t kVersion = 1;

std::string path_of(const std::string& directory) { return directory + "/membership"; }

Status damage_of(const std::string& path) {
  return Status(Code::kCorruption,
                fmt::format("{} is damaged, or was written by another version: move it away, and "
                            "the node asks the other members for what it said",
                            path));
}

std::optional<KeptMembership> decode(std::string_view bytes) {
  ByteReader head(bytes);
  const bool is_known = head.u32() == kMagic && head.u8() == kVersion;
  const uint64_t checksum = head.u64();
  if (!head.ok() || !is_known || checksum != xxh64(head.rest())) return std::nullopt;
  ByteReader reader(head.rest());
  KeptMembership kept;
  kept.id = reader.u64();
  kept.node_name = reader.bytes();
  const std::string_view history = reader.bytes();
  if (!reader.ok() || !reader.done() || kept.id == 0) return std::nullopt;
  if (history.empty()) return kept;
  kept.history = cluster::History::decode(history);
  if (!kept.history) return std::nullopt;
  return kept;
}

}  // namespace

Result<std::optional<KeptMembership>> read_membership(const std::string& directory) {
  const std::string path = path_of(directory);
  const DiskFile file(path, O_RDONLY);
  if (!file.is_open() && (errno == ENOENT || errno == ENOTDIR)) {
    return std::optional<KeptMembership>();
  }
  std::string bytes;
  if (!file.is_open() || !file.read_all(&bytes)) return disk_failure("read", path);
  auto kept = decode(bytes);
  if (!kept) return damage_of(path);
  if (!kept->history) return kept;
  if (Status read = read_membership_log(directory, &*kept->history); !read.ok()) return read;
  return kept;
}

Status write_membership(const std::string& directory, cluster::NodeId id,
                        std::string_view node_name, std::string_view history) {
  std::string body, bytes;
  put_u64(body, id);
  put_bytes(body, node_name);
  put_bytes(body, history);
  put_u32(bytes, kMagic);
  put_u8(bytes, kVersion);
  put_u64(bytes, xxh64(body));
  bytes += body;
  const std::string path = path_of(directory), fresh = path + ".new";
  {
    const DiskFile file(fresh, O_WRONLY | O_CREAT | O_TRUNC);
    const bool written = file.is_open() && file.write_all(bytes);
    if (!written || ::fsync(file.number()) != 0) return disk_failure("write", fresh);
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return disk_failure("rename", fresh);
  const DiskFile folder(directory, O_RDONLY | O_DIRECTORY);
  if (!folder.is_open() || ::fsync(folder.number()) != 0) return disk_failure("sync", directory);
  return {};
}

}  // namespace kvorum::server
