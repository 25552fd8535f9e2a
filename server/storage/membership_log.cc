// SPDX-License-Identifier: Apache-2.0
#include "server/storage/membership_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"
#include "cluster/history/history_delta.h"
#include "server/storage/disk_file.h"

namespace kvorum::server {
namespace {

constexpr size_t kAlign = 64;
constexpr size_t kHeadBytes = 4 + 4 + 8;

std::string path_in(const std::string& directory) { return directory + "/membership.log"; }

size_t aligned(size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

struct LogRecord {
  uint32_t number = 0;
  std::string_view added;
};

uint64_t checksum_of(const LogRecord& record) {
  std::string text;
  put_u32(text, record.number);
  text += record.added;
  return xxh64(text);
}

std::string encoded(const LogRecord& record) {
  std::string bytes;
  put_u32(bytes, static_cast<uint32_t>(record.added.size()));
  put_u32(bytes, record.number);
  put_u64(bytes, checksum_of(record));
  bytes += record.added;
  bytes.resize(aligned(bytes.size()));
  return bytes;
}

std::optional<LogRecord> record_at(std::string_view bytes, size_t at) {
  ByteReader reader(bytes.substr(at));
  const uint32_t length = reader.u32();
  LogRecord record;
  record.number = reader.u32();
  const uint64_t checksum = reader.u64();
  if (!reader.ok() || length == 0 || length > reader.rest().size()) return std::nullopt;
  record.added = reader.rest().substr(0, length);
  if (checksum != checksum_of(record)) return std::nullopt;
  return record;
}

// Whether there are later records behind one that cannot be read.
bool goes_on(std::string_view bytes, size_t at, uint32_t number) {
  for (; at < bytes.size(); at += kAlign) {
    const auto record = record_at(bytes, at);
    if (record && record->number > number) return true;
  }
  return false;
}

}  // namespace

MembershipLog::MembershipLog(std::string directory)
    : directory_(std::move(directory)), path_(path_in(directory_)) {}

MembershipLog::~MembershipLog() = default;

// Blocks of zeros that are on disk: a record changes nothing but their content. Another file, lest
// a crash leaves an end of the former log behind a beginning of this one.
Status MembershipLog::begin() {
  file_.reset();
  number_ = 0;
  at_ = 0;
  Status status = replace_file(directory_, path_, std::string(kBytes, 0));
  if (!status.ok()) return status;
  auto file = std::make_unique<DiskFile>(path_, O_WRONLY);
  if (!file->is_open()) return disk_failure("open", path_);
  file_ = std::move(file);
  return {};
}

bool MembershipLog::is_on_disk() const { return ::access(path_.c_str(), F_OK) == 0; }

bool MembershipLog::has_room_for(std::string_view added) const {
  return at_ + aligned(kHeadBytes + added.size()) <= kBytes;
}

Status MembershipLog::add(std::string_view added) {
  KVORUM_CHECK(has_begun() && has_room_for(added) && !added.empty());
  const std::string bytes = encoded({number_, added});
  if (!file_->write_all_at(bytes, at_) || ::fdatasync(file_->number()) != 0) {
    return disk_failure("write", path_);
  }
  at_ += bytes.size();
  ++number_;
  return {};
}

void MembershipLog::remove() {
  file_.reset();
  ::unlink(path_.c_str());
}

Status read_membership_log(const std::string& directory, cluster::History* history) {
  const std::string path = path_in(directory);
  const DiskFile file(path, O_RDONLY);
  if (!file.is_open() && errno == ENOENT) return {};
  std::string bytes;
  if (!file.is_open() || !file.read_all(&bytes)) return disk_failure("read", path);
  size_t at = 0;
  uint32_t number = 0;
  for (;; ++number) {
    const auto record = record_at(bytes, at);
    if (!record || record->number != number) break;
    // One that names sets which are forgotten is older than the file.
    cluster::merge_difference(*history, record->added);
    at += aligned(kHeadBytes + record->added.size());
  }
  if (!goes_on(bytes, at, number)) return {};
  return Status(
      Code::kCorruption,
      fmt::format("{} is damaged: move it and the file membership away, and the node asks "
                  "the other members for what they said",
                  path));
}

}  // namespace kvorum::server
