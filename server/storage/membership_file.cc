// SPDX-License-Identifier: Apache-2.0
#include "server/storage/membership_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "base/hash.h"

namespace kvorum::server {
namespace {

constexpr uint32_t kMagic = 0x4d4d564b;  // "KVMM"
constexpr uint8_t kVersion = 1;

class OpenFile {
 public:
  OpenFile(const std::string& path, int flags)
      : number_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~OpenFile() {
    if (is_open()) ::close(number_);
  }
  OpenFile(const OpenFile&) = delete;

  bool is_open() const { return number_ >= 0; }
  int number() const { return number_; }

 private:
  const int number_;
};

std::string path_of(const std::string& directory) { return directory + "/membership"; }

Status failure(std::string_view doing, const std::string& path) {
  const Code code = errno == ENOSPC || errno == EDQUOT ? Code::kNoSpace : Code::kIoError;
  return Status(code, fmt::format("cannot {} {}: {}", doing, path, std::strerror(errno)));
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

bool read_all(int file, std::string* bytes) {
  char piece[16 * 1024];
  for (;;) {
    const ssize_t got = ::read(file, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    bytes->append(piece, static_cast<size_t>(got));
  }
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
  const OpenFile file(path, O_RDONLY);
  if (!file.is_open() && (errno == ENOENT || errno == ENOTDIR)) {
    return std::optional<KeptMembership>();
  }
  std::string bytes;
  if (!file.is_open() || !read_all(file.number(), &bytes)) return failure("read", path);
  auto kept = decode(bytes);
  if (kept) return kept;
  return Status(Code::kCorruption,
                fmt::format("{} is damaged, or was written by another version: move it away, and "
                            "the node asks the other members for what it said",
                            path));
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
    const OpenFile file(fresh, O_WRONLY | O_CREAT | O_TRUNC);
    const bool written = file.is_open() && write_all(file.number(), bytes);
    if (!written || ::fsync(file.number()) != 0) return failure("write", fresh);
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return failure("rename", fresh);
  const OpenFile folder(directory, O_RDONLY | O_DIRECTORY);
  if (!folder.is_open() || ::fsync(folder.number()) != 0) return failure("sync", directory);
  return {};
}

}  // namespace kvorum::server
