// SPDX-License-Identifier: Apache-2.0
#include "server/storage/membership_file.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>

#include "base/bytes.h"
#include "base/hash.h"
#include "server/storage/disk_file.h"
#include "server/storage/membership_log.h"

namespace kvorum::server {
namespace {

constexpr uint32_t kMagic = 0x4d4d564b;  // "KVMM"
constexpr uint8_t kVersion = 1, kFoundingVersion = 2;

std::string path_of(const std::string& directory) { return directory + "/membership"; }

Status damage_of(const std::string& path) {
  return Status(Code::kCorruption,
                fmt::format("{} is damaged, or was written by another version: move it away, and "
                            "the node asks the other members for what it said",
                            path));
}

bool decode_founded(ByteReader& reader, FoundedPlacement* founded) {
  founded->version = reader.u8();
  const uint8_t is_firm = reader.u8();
  founded->is_firm = is_firm == 1;
  return reader.ok() && cluster::is_raised_placement(founded->version) && is_firm <= 1;
}

std::optional<KeptMembership> decode(std::string_view bytes) {
  ByteReader head(bytes);
  const bool is_ours = head.u32() == kMagic;
  const uint8_t version = head.u8();
  const bool is_known = is_ours && (version == kVersion || version == kFoundingVersion);
  const uint64_t checksum = head.u64();
  if (!head.ok() || !is_known || checksum != xxh64(head.rest())) return std::nullopt;
  ByteReader reader(head.rest());
  KeptMembership kept;
  kept.id = reader.u64();
  kept.node_name = reader.bytes();
  const std::string_view history = reader.bytes();
  if (version == kFoundingVersion) {
    if (!history.empty() || !decode_founded(reader, &kept.founded)) return std::nullopt;
  }
  if (!reader.ok() || !reader.done() || kept.id == 0) return std::nullopt;
  if (history.empty()) return kept;
  kept.history = cluster::History::decode(history);
  if (!kept.history) return std::nullopt;
  kept.founded = {kept.history->founding().placement, true};
  return kept;
}

Status write_whole(const std::string& directory, uint8_t version, std::string_view body) {
  std::string bytes;
  put_u32(bytes, kMagic);
  put_u8(bytes, version);
  put_u64(bytes, xxh64(body));
  bytes += body;
  return replace_file(directory, path_of(directory), bytes);
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

Status write_founding(const std::string& directory, const KeptMembership& kept) {
  const FoundedPlacement& founded = kept.founded;
  if (!cluster::is_raised_placement(founded.version)) {
    return write_membership(directory, kept.id, kept.node_name, {});
  }
  std::string body;
  put_u64(body, kept.id);
  put_bytes(body, kept.node_name);
  put_bytes(body, {});
  put_u8(body, founded.version);
  put_u8(body, founded.is_firm ? 1 : 0);
  return write_whole(directory, kFoundingVersion, body);
}

Status write_membership(const std::string& directory, cluster::NodeId id,
                        std::string_view node_name, std::string_view history) {
  std::string body;
  put_u64(body, id);
  put_bytes(body, node_name);
  put_bytes(body, history);
  return write_whole(directory, kVersion, body);
}

}  // namespace kvorum::server
