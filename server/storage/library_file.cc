// SPDX-License-Identifier: Apache-2.0
#include "server/storage/library_file.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>

#include "base/bytes.h"
#include "base/hash.h"
#include "server/storage/disk_file.h"

namespace kvorum::server {
namespace {

constexpr uint32_t kMagic = 0x4e46564b;  // "KVFN"
constexpr uint8_t kVersion = 1;

}  // namespace

Status LibraryFile::read() {
  if (directory_.empty()) return {};
  const DiskFile file(path(), O_RDONLY);
  if (!file.is_open() && errno == ENOENT) return {};
  std::string bytes;
  if (!file.is_open() || !file.read_all(&bytes)) return disk_failure("read", path());
  ByteReader head(bytes);
  const bool is_ours = head.u32() == kMagic && head.u8() == kVersion;
  const uint64_t checksum = head.u64();
  if (!head.ok() || !is_ours || checksum != xxh64(head.rest()) || !libraries_.merge(head.rest())) {
    return Status(Code::kCorruption,
                  fmt::format("{} is damaged, or was written by another version: move it away, and "
                              "the node gets the functions from the other members",
                              path()));
  }
  saved_ = libraries_.generation();
  return {};
}

Status LibraryFile::save() {
  const uint64_t generation = libraries_.generation();
  if (directory_.empty() || generation == saved_) return {};
  std::string all;
  libraries_.put_all(all);
  std::string bytes;
  put_u32(bytes, kMagic);
  put_u8(bytes, kVersion);
  put_u64(bytes, xxh64(all));
  bytes += all;
  const Status written = replace_file(directory_, path(), bytes);
  if (written.ok()) saved_ = generation;
  return written;
}

}  // namespace kvorum::server
