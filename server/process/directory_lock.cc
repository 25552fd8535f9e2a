// SPDX-License-Identifier: Apache-2.0
#include "server/process/directory_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace kvorum::server {
namespace {

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream content;
  content << file.rdbuf();
  std::string text = content.str();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  const std::string path = directory + "/kvorum.lock";
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return Status(Code::kIoError, fmt::format("cannot use the data directory {}: {}", directory,
                                              error ? error.message() : std::strerror(errno)));
  }
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    close(descriptor);
    return Status(Code::kExists, fmt::format("data directory {} is in use by {}; stop that process "
                                             "or choose another directory",
                                             directory, content_of(path)));
  }
  return DirectoryLock(descriptor);
}

Status DirectoryLock::describe(const std::string& notes) {
  const std::string text = fmt::format("pid {} ({})\n", getpid(), notes);
  if (ftruncate(descriptor_, 0) == 0 &&
      pwrite(descriptor_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size())) {
    return {};
  }
  return Status(Code::kIoError,
                fmt::format("cannot write the data directory: {}", std::strerror(errno)));
}

DirectoryLock::~DirectoryLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace kvorum::server
