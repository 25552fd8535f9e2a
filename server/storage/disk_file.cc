// SPDX-License-Identifier: Apache-2.0
#include "server/storage/disk_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace kvorum::server {

DiskFile::DiskFile(const std::string& path, int flags)
    : number_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}

DiskFile::~DiskFile() {
  if (is_open()) ::close(number_);
}

bool DiskFile::write_all(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::write(number_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

bool DiskFile::write_all_at(std::string_view bytes, size_t offset) const {
  return ::lseek(number_, static_cast<off_t>(offset), SEEK_SET) >= 0 && write_all(bytes);
}

bool DiskFile::read_all(std::string* bytes) const {
  char piece[16 * 1024];
  for (;;) {
    const ssize_t got = ::read(number_, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    bytes->append(piece, static_cast<size_t>(got));
  }
}

Status replace_file(const std::string& directory, const std::string& path, std::string_view bytes) {
  const std::string fresh = path + ".new";
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

Status disk_failure(std::string_view doing, const std::string& path) {
  const Code code = errno == ENOSPC || errno == EDQUOT ? Code::kNoSpace : Code::kIoError;
  return Status(code, fmt::format("cannot {} {}: {}", doing, path, std::strerror(errno)));
}

}  // namespace kvorum::server
