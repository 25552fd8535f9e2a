// SPDX-License-Identifier: Apache-2.0
#include "engine/journal/journal_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/check.h"
#include "base/large_memory.h"

namespace kvorum::engine {
namespace {

constexpr std::string_view kEnding = ".journal";
constexpr int kDigits = 2;
constexpr size_t kPartsTogether = 64;  // far below what the system takes in one call
constexpr uint64_t kFillChunk = 1 << 20;

bool parse_name(std::string_view name, uint32_t* slot) {
  if (!name.ends_with(kEnding)) return false;
  name.remove_suffix(kEnding.size());
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), *slot);
  return error == std::errc() && end == name.data() + name.size();
}

}  // namespace

Result<std::unique_ptr<JournalDirectory>> JournalDirectory::open(std::string directory,
                                                                 bool zeroes) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return Status(Code::kIoError,
                  "journal directory " + directory + " cannot be created: " + error.message());
  }
  return std::unique_ptr<JournalDirectory>(new JournalDirectory(std::move(directory), zeroes));
}

JournalDirectory::~JournalDirectory() {
  const MutexLock guard(files_lock_);
  for (const auto& [slot, file] : files_) close(file);
}

std::string JournalDirectory::path_of(uint32_t slot) const {
  std::string number = std::to_string(slot);
  if (number.size() < kDigits) number.insert(0, kDigits - number.size(), '0');
  return directory_ + "/" + number + std::string(kEnding);
}

Status JournalDirectory::failure(const char* doing, const std::string& path) const {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return {full ? Code::kNoSpace : Code::kIoError,
          std::string("cannot ") + doing + " " + path + ": " + std::strerror(errno)};
}

Result<std::vector<uint32_t>> JournalDirectory::slots() {
  std::vector<uint32_t> slots;
  std::error_code error;
  std::filesystem::directory_iterator it(directory_, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    uint32_t slot;
    if (parse_name(it->path().filename().string(), &slot)) slots.push_back(slot);
  }
  if (error) return Status(Code::kIoError, "cannot read " + directory_ + ": " + error.message());
  std::sort(slots.begin(), slots.end());
  return slots;
}

Result<int> JournalDirectory::file_of(uint32_t slot) {
  const MutexLock guard(files_lock_);
  const auto known = files_.find(slot);
  if (known != files_.end()) return known->second;
  const std::string path = path_of(slot);
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return failure("open", path);
  files_.emplace(slot, file);
  return file;
}

Status JournalDirectory::sync_directory() const {
  const int file = ::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return failure("open", directory_);
  const bool good = fsync(file) == 0;
  Status status = good ? Status() : failure("sync", directory_);
  close(file);
  return status;
}

Status JournalDirectory::fill(int file, uint64_t bytes, const std::string& path) const {
  if (const int error = posix_fallocate(file, 0, static_cast<off_t>(bytes)); error != 0) {
    errno = error;
    return failure(("make room for " + std::to_string(bytes) + " bytes in").c_str(), path);
  }
  const std::string zeros(zeroes_ ? kFillChunk : 0, '\0');
  for (uint64_t at = 0; zeroes_ && at < bytes;) {
    const size_t size = std::min<uint64_t>(zeros.size(), bytes - at);
    const ssize_t written = pwrite(file, zeros.data(), size, static_cast<off_t>(at));
    if (written <= 0) return failure("write", path);
    at += static_cast<uint64_t>(written);
  }
  return fsync(file) == 0 ? Status() : failure("sync", path);
}

Status JournalDirectory::create(uint32_t slot, uint64_t bytes) {
  const std::string path = path_of(slot);
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return failure("create", path);
  Status status = fill(file, bytes, path);
  if (status.ok()) status = sync_directory();
  if (!status.ok()) {
    close(file);
    unlink(path.c_str());
    return status;
  }
  const MutexLock guard(files_lock_);
  files_.emplace(slot, file);
  return {};
}

Status JournalDirectory::remove(uint32_t slot) {
  const std::string path = path_of(slot);
  {
    const MutexLock guard(files_lock_);
    const auto known = files_.find(slot);
    if (known != files_.end()) close(known->second);
    if (known != files_.end()) files_.erase(known);
  }
  return unlink(path.c_str()) == 0 ? Status() : failure("remove", path);
}

Status JournalDirectory::write(uint32_t slot, uint64_t at,
                               std::span<const std::string_view> parts) {
  const Result<int> file = file_of(slot);
  if (!file.ok()) return file.status();
  std::vector<iovec> pieces;
  pieces.reserve(std::min(parts.size(), kPartsTogether));
  size_t part = 0, skip = 0;  // written of parts[part]
  while (part < parts.size()) {
    pieces.clear();
    for (size_t next = part; next < parts.size() && pieces.size() < kPartsTogether; ++next) {
      const std::string_view bytes = parts[next].substr(next == part ? skip : 0);
      pieces.push_back({const_cast<char*>(bytes.data()), bytes.size()});
    }
    const ssize_t done = pwritev(file.value(), pieces.data(), static_cast<int>(pieces.size()),
                                 static_cast<off_t>(at));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return failure("write", path_of(slot));
    auto left = static_cast<size_t>(done);
    at += left;
    while (part < parts.size() && left >= parts[part].size() - skip) {
      left -= parts[part].size() - skip;
      skip = 0;
      ++part;
    }
    skip += left;
  }
  return {};
}

Status JournalDirectory::sync(uint32_t slot) {
  const Result<int> file = file_of(slot);
  if (!file.ok()) return file.status();
  return fdatasync(file.value()) == 0 ? Status() : failure("sync", path_of(slot));
}

Result<std::string_view> JournalDirectory::read(uint32_t slot, uint64_t bytes_max) {
  const Result<int> file = file_of(slot);
  if (!file.ok()) return file.status();
  struct stat facts;
  if (fstat(file.value(), &facts) != 0) return failure("read", path_of(slot));
  // Not mapped: a disk that cannot read a page would end the process.
  const size_t size = std::min(static_cast<uint64_t>(facts.st_size), bytes_max);
  const auto& bytes = read_.emplace_back(std::make_unique_for_overwrite<char[]>(size));
  wish_large_pages(bytes.get(), size);
  size_t at = 0;
  while (at < size) {
    const ssize_t done = pread(file.value(), bytes.get() + at, size - at, static_cast<off_t>(at));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return failure("read", path_of(slot));
    if (done == 0) break;  // it became shorter
    at += static_cast<size_t>(done);
  }
  return std::string_view(bytes.get(), at);
}

void JournalDirectory::done_reading() { read_.clear(); }

Result<std::string> JournalDirectory::set_aside() {
  std::error_code error;
  std::string target;
  for (int number = 1; target.empty() || std::filesystem::exists(target, error); ++number) {
    target = directory_ + ".damaged-" + std::to_string(number);
  }
  std::filesystem::copy(directory_, target, error);
  if (error) return Status(Code::kIoError, "cannot copy to " + target + ": " + error.message());
  return target;
}

}  // namespace kvorum::engine
