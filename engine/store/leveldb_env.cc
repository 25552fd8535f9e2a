// SPDX-License-Identifier: Apache-2.0
#include "engine/store/leveldb_env.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"

namespace kvorum::engine {

Status to_status(const leveldb::Status& status) {
  if (status.ok()) return {};
  std::string text = status.ToString();
  Code code = Code::kInvalid;
  if (status.IsNotFound()) code = Code::kNotFound;
  if (status.IsCorruption()) code = Code::kCorruption;
  if (status.IsIOError()) {
    code = text.ends_with(std::strerror(ENOSPC)) ? Code::kNoSpace : Code::kIoError;
  }
  return {code, std::move(text)};
}

void sync_directory(const std::string& directory) {
  const int opened = ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_CLOEXEC);
  if (opened < 0) return;
  ::fsync(opened);
  ::close(opened);
}

class StoreEnv::LogFile : public leveldb::WritableFile {
 public:
  LogFile(StoreEnv* env, leveldb::WritableFile* file, std::shared_ptr<LogSync> log)
      : env_(env), file_(file), log_(std::move(log)) {}
  ~LogFile() override { Close(); }

  // LevelDB closes a file last.
  leveldb::Status Append(const leveldb::Slice& bytes) override {
    KVORUM_CHECK(file_ != nullptr);
    return file_->Append(bytes);
  }
  leveldb::Status Flush() override {
    KVORUM_CHECK(file_ != nullptr);
    leveldb::Status status = file_->Flush();
    log_->unsynced.store(true);  // after the flush: a sync that begins now covers it
    return status;
  }
  leveldb::Status Sync() override {
    leveldb::Status status = Flush();
    return status.ok() ? env_->sync(*log_) : status;
  }
  leveldb::Status Close() override {
    if (!file_) return {};
    leveldb::Status status = Flush();
    const leveldb::Status closed = file_->Close();
    file_.reset();
    log_->left.store(true);
    return status.ok() ? closed : status;
  }

 private:
  StoreEnv* const env_;
  std::unique_ptr<leveldb::WritableFile> file_;
  const std::shared_ptr<LogSync> log_;
};

class StoreEnv::EmptyFile : public leveldb::WritableFile {
 public:
  explicit EmptyFile(leveldb::WritableFile* file) : file_(file) {}

  leveldb::Status Append(const leveldb::Slice&) override { return {}; }
  leveldb::Status Flush() override { return {}; }
  leveldb::Status Sync() override { return {}; }
  leveldb::Status Close() override { return file_->Close(); }

 private:
  const std::unique_ptr<leveldb::WritableFile> file_;
};

// A table, which LevelDB flushes after each of its blocks, for nobody to read.
class StoreEnv::TableFile : public leveldb::WritableFile {
 public:
  explicit TableFile(leveldb::WritableFile* file) : file_(file) {}

  leveldb::Status Append(const leveldb::Slice& bytes) override { return file_->Append(bytes); }
  leveldb::Status Flush() override { return {}; }
  leveldb::Status Sync() override { return file_->Sync(); }
  leveldb::Status Close() override { return file_->Close(); }

 private:
  const std::unique_ptr<leveldb::WritableFile> file_;
};

leveldb::Status StoreEnv::NewWritableFile(const std::string& name, leveldb::WritableFile** file) {
  leveldb::Status status = target()->NewWritableFile(name, file);
  if (!status.ok()) return status;
  if (name.ends_with(".ldb")) *file = new TableFile(*file);
  if (!name.ends_with(".log")) return status;
  std::unique_ptr<leveldb::WritableFile> made(*file);
  *file = nullptr;
  if (!logged_) {
    *file = new EmptyFile(made.release());
    return status;
  }
  leveldb::WritableFile* again = nullptr;
  status = target()->NewAppendableFile(name, &again);
  if (!status.ok()) return status;
  auto log = std::make_shared<LogSync>();
  {
    const MutexLock guard(log->mutex);
    log->file.reset(again);
  }
  *file = new LogFile(this, made.release(), log);
  const MutexLock guard(mutex_);
  logs_[name] = std::move(log);
  return status;
}

leveldb::Status StoreEnv::NewRandomAccessFile(const std::string& name,
                                              leveldb::RandomAccessFile** file) {
  leveldb::Status status = target()->NewRandomAccessFile(name, file);
  if (!status.IsNotFound()) return status;
  return leveldb::Status::Corruption(name, "the table file is missing");
}

leveldb::Status StoreEnv::RemoveFile(const std::string& name) {
  forget(name);
  return target()->RemoveFile(name);
}

leveldb::Status StoreEnv::sync(LogSync& log) const {
  const MutexLock guard(log.mutex);
  if (!log.unsynced.exchange(false)) return {};
  KVORUM_CHECK(log.file != nullptr);  // it was put there before the log had a name
  leveldb::Status status = log.file->Sync();
  if (!status.ok()) {
    log.unsynced.store(true);
    return status;
  }
  if (!log.named) sync_directory(directory_);
  log.named = true;
  return status;
}

// Without the lock: a write that changes the log must not wait for the disk.
leveldb::Status StoreEnv::sync_logs() {
  for (const auto& [name, log] : logs()) {
    const bool left = log->left.load();
    if (leveldb::Status status = sync(*log); !status.ok()) return status;
    if (left) forget(name);
  }
  return {};
}

StoreEnv::Logs StoreEnv::logs() {
  const MutexLock guard(mutex_);
  return logs_;
}

void StoreEnv::forget(const std::string& name) {
  const MutexLock guard(mutex_);
  logs_.erase(name);
}

void StoreEnv::forget_logs() {
  const MutexLock guard(mutex_);
  logs_.clear();
}

}  // namespace kvorum::engine
