// SPDX-License-Identifier: Apache-2.0
#include "engine/leveldb_env.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

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
  LogFile(StoreEnv* env, std::string name, leveldb::WritableFile* file)
      : env_(env), name_(std::move(name)), file_(file) {}
  ~LogFile() override { Close(); }

  leveldb::Status Append(const leveldb::Slice& bytes) override {
    synced_ = false;
    return file_->Append(bytes);
  }
  leveldb::Status Flush() override { return file_->Flush(); }
  leveldb::Status Sync() override {
    leveldb::Status status = file_->Sync();
    if (status.ok() && !named_) sync_directory(env_->directory_);
    named_ = named_ || status.ok();
    synced_ = status.ok();
    return status;
  }
  leveldb::Status Close() override {
    if (!file_) return {};
    if (synced_) {
      const std::unique_ptr<leveldb::WritableFile> closed = std::move(file_);
      return closed->Close();
    }
    leveldb::Status status = file_->Flush();
    env_->keep(name_, std::move(file_));
    return status;
  }

 private:
  StoreEnv* const env_;
  const std::string name_;
  std::unique_ptr<leveldb::WritableFile> file_;
  bool synced_ = true;
  bool named_ = false;  // the directory entry is on the disk too
};

leveldb::Status StoreEnv::NewWritableFile(const std::string& name, leveldb::WritableFile** file) {
  leveldb::Status status = target()->NewWritableFile(name, file);
  if (status.ok() && name.ends_with(".log")) *file = new LogFile(this, name, *file);
  return status;
}

leveldb::Status StoreEnv::NewRandomAccessFile(const std::string& name,
                                              leveldb::RandomAccessFile** file) {
  leveldb::Status status = target()->NewRandomAccessFile(name, file);
  if (!status.IsNotFound()) return status;
  return leveldb::Status::Corruption(name, "the table file is missing");
}

leveldb::Status StoreEnv::RemoveFile(const std::string& name) {
  {
    const std::lock_guard guard(mutex_);
    kept_.erase(name);
  }
  return target()->RemoveFile(name);
}

leveldb::Status StoreEnv::sync_kept() {
  const std::lock_guard guard(mutex_);
  while (!kept_.empty()) {
    leveldb::Status status = kept_.begin()->second->Sync();
    if (!status.ok()) return status;
    kept_.erase(kept_.begin());
  }
  return {};
}

void StoreEnv::forget_kept() {
  const std::lock_guard guard(mutex_);
  kept_.clear();
}

void StoreEnv::keep(const std::string& name, std::unique_ptr<leveldb::WritableFile> file) {
  const std::lock_guard guard(mutex_);
  kept_[name] = std::move(file);
}

}  // namespace kvorum::engine
