// SPDX-License-Identifier: Apache-2.0
#include "engine/store/large_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "base/check.h"
#include "base/hash.h"
#include "base/large_memory.h"

namespace kvorum::engine {
namespace {

constexpr size_t kPieceBytes = 1024 * 1024;
constexpr size_t kNameDigits = 16;
constexpr std::string_view kUnfinished = ".new";

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : number_(::open(path.c_str(), flags, 0644)) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  bool close() {
    const int number = std::exchange(number_, -1);
    return number < 0 || ::close(number) == 0;
  }

 private:
  int number_;
};

Status failure(const std::string& path) {
  const bool full = errno == ENOSPC || errno == EDQUOT;
  return {full ? Code::kNoSpace : Code::kIoError, path + ": " + std::strerror(errno)};
}

Status damage(const std::string& path, const char* what) {
  return {Code::kCorruption, path + ": " + what};
}

bool parse_name(const std::string& name, uint64_t* id) {
  if (name.size() != kNameDigits) return false;
  const char* const end = name.data() + name.size();
  const auto [stopped, error] = std::from_chars(name.data(), end, *id, 16);
  return error == std::errc() && stopped == end && *id != 0;
}

uint64_t wall_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

}  // namespace

Result<std::unique_ptr<LargeFiles>> LargeFiles::open(const LargeFilesOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  if (error) return Status(Code::kIoError, options.directory + ": " + error.message());
  std::unique_ptr<LargeFiles> files(new LargeFiles(options));
  if (Status status = files->begin(); !status.ok()) return status;
  return files;
}

// The files that are left do not show which ids were given: the clock sees to it that those of
// removed files do not come again, which an old record, back after a salvage, could name.
Status LargeFiles::begin() {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory, error)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(kUnfinished)) ::unlink(entry.path().c_str());
  }
  const Result<std::vector<uint64_t>> found = ids();
  if (!found.ok()) return found.status();
  const auto highest = std::max_element(found.value().begin(), found.value().end());
  next_id_ = std::max(wall_us(), highest == found.value().end() ? 1 : *highest + 1);
  return sync_directory();
}

std::string LargeFiles::path_of(uint64_t id) const {
  KVORUM_CHECK(id != 0);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string path = options_.directory + "/";
  for (int shift = 60; shift >= 0; shift -= 4) path.push_back(kDigits[id >> shift & 15]);
  return path;
}

Result<FileReference> LargeFiles::write(std::string_view body) {
  FileReference file;
  file.id = next_id_.fetch_add(1, std::memory_order_relaxed);
  file.bytes = body.size();
  file.checksum = xxh64(body);
  const std::string path = path_of(file.id);
  const std::string unfinished = path + std::string(kUnfinished);
  Status status = write_file(unfinished, body);
  if (status.ok() && ::rename(unfinished.c_str(), path.c_str()) != 0) status = failure(path);
  if (status.ok()) status = sync_directory();
  if (status.ok()) return file;
  ::unlink(unfinished.c_str());
  ::unlink(path.c_str());
  return status;
}

Status LargeFiles::write_file(const std::string& path, std::string_view body) const {
  Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
  if (!file.is_open()) return failure(path);
  while (!body.empty()) {
    const ssize_t written = ::write(file.number(), body.data(), std::min(body.size(), kPieceBytes));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failure(path);
    KVORUM_CHECK(static_cast<size_t>(written) <= body.size());
    body.remove_prefix(static_cast<size_t>(written));
  }
  if (options_.sync && ::fdatasync(file.number()) != 0) return failure(path);
  return file.close() ? Status() : failure(path);
}

// A file is only safe once its name is on the disk.
Status LargeFiles::sync_directory() const {
  if (!options_.sync) return {};
  const Descriptor directory(options_.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (!directory.is_open() || ::fsync(directory.number()) != 0) return failure(options_.directory);
  return {};
}

Result<SharedBytes> LargeFiles::read(const FileReference& file) const {
  const std::string path = path_of(file.id);
  const Descriptor opened(path, O_RDONLY | O_CLOEXEC);
  if (!opened.is_open()) return errno == ENOENT ? damage(path, "is missing") : failure(path);
  struct stat facts {};
  if (::fstat(opened.number(), &facts) != 0) return failure(path);
  if (static_cast<uint64_t>(facts.st_size) != file.bytes) return damage(path, "has another length");
  MappedMemory body(std::max<size_t>(file.bytes, 1));
  for (size_t filled = 0; filled < file.bytes;) {
    const size_t piece = std::min<size_t>(kPieceBytes, file.bytes - filled);
    const ssize_t got = ::read(opened.number(), body.data() + filled, piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure(path);
    if (got == 0) return damage(path, "ends early");
    filled += static_cast<size_t>(got);
    KVORUM_CHECK(filled <= file.bytes);
  }
  const std::string_view bytes(body.data(), file.bytes);
  if (xxh64(bytes) != file.checksum) return damage(path, "its checksum does not hold");
  return share(std::move(body), bytes);
}

void LargeFiles::remove(uint64_t id) const { ::unlink(path_of(id).c_str()); }

Result<std::vector<uint64_t>> LargeFiles::ids() const {
  std::vector<uint64_t> ids;
  std::error_code error;
  std::filesystem::directory_iterator entry(options_.directory, error), end;
  for (; !error && entry != end; entry.increment(error)) {
    uint64_t id = 0;
    if (parse_name(entry->path().filename().string(), &id)) ids.push_back(id);
  }
  if (error) return Status(Code::kIoError, options_.directory + ": " + error.message());
  return ids;
}

}  // namespace kvorum::engine
