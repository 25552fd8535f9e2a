// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/fault_env.h"

#include <filesystem>
#include <memory>

namespace kvorum::engine::testing {

class FaultEnv::File : public leveldb::WritableFile {
 public:
  File(FaultEnv* env, std::string name, leveldb::WritableFile* file)
      : env_(env), name_(std::move(name)), file_(file) {}

  leveldb::Status Append(const leveldb::Slice& bytes) override {
    return env_->append(name_, *file_, bytes);
  }
  leveldb::Status Close() override { return file_->Close(); }
  leveldb::Status Flush() override { return file_->Flush(); }
  leveldb::Status Sync() override { return env_->sync(name_, *file_); }

 private:
  FaultEnv* const env_;
  const std::string name_;
  const std::unique_ptr<leveldb::WritableFile> file_;
};

void FaultEnv::fail_writes(bool on) {
  const std::lock_guard guard(mutex_);
  writes_fail_ = on;
}

void FaultEnv::fail_tables(bool on) {
  const std::lock_guard guard(mutex_);
  tables_fail_ = on;
}

void FaultEnv::fail_syncs(bool on) {
  const std::lock_guard guard(mutex_);
  syncs_fail_ = on;
}

void FaultEnv::set_bytes_left(uint64_t bytes) {
  const std::lock_guard guard(mutex_);
  bytes_left_ = bytes;
}

void FaultEnv::drop_unsynced() {
  const std::lock_guard guard(mutex_);
  for (auto& [name, size] : sizes_) {
    if (!std::filesystem::exists(name)) continue;
    if (std::filesystem::file_size(name) > size.synced) {
      std::filesystem::resize_file(name, size.synced);
    }
    size.written = size.synced;
  }
}

uint64_t FaultEnv::syncs() const {
  const std::lock_guard guard(mutex_);
  return syncs_;
}

leveldb::Status FaultEnv::NewWritableFile(const std::string& name, leveldb::WritableFile** file) {
  leveldb::WritableFile* opened = nullptr;
  leveldb::Status status = target()->NewWritableFile(name, &opened);
  if (!status.ok()) return status;
  *file = new File(this, name, opened);
  const std::lock_guard guard(mutex_);
  sizes_[name] = {};
  return status;
}

leveldb::Status FaultEnv::NewAppendableFile(const std::string& name, leveldb::WritableFile** file) {
  leveldb::WritableFile* opened = nullptr;
  leveldb::Status status = target()->NewAppendableFile(name, &opened);
  if (status.ok()) *file = new File(this, name, opened);
  return status;
}

leveldb::Status FaultEnv::RemoveFile(const std::string& name) {
  const std::lock_guard guard(mutex_);
  sizes_.erase(name);
  return target()->RemoveFile(name);
}

leveldb::Status FaultEnv::RenameFile(const std::string& from, const std::string& to) {
  const std::lock_guard guard(mutex_);
  leveldb::Status status = target()->RenameFile(from, to);
  if (!status.ok()) return status;
  const auto it = sizes_.find(from);
  if (it == sizes_.end()) return status;
  sizes_[to] = it->second;
  sizes_.erase(from);
  return status;
}

leveldb::Status FaultEnv::append(const std::string& name, leveldb::WritableFile& file,
                                 const leveldb::Slice& bytes) {
  const std::lock_guard guard(mutex_);
  if (writes_fail_ || (tables_fail_ && name.ends_with(".ldb")))
    return leveldb::Status::IOError(name, "injected write error");
  const uint64_t fits = std::min<uint64_t>(bytes.size(), bytes_left_);
  if (bytes_left_ != ~uint64_t{0}) bytes_left_ -= fits;
  const leveldb::Status status = file.Append({bytes.data(), static_cast<size_t>(fits)});
  sizes_[name].written += fits;
  if (status.ok() && fits < bytes.size()) {
    return leveldb::Status::IOError(name, "No space left on device");
  }
  return status;
}

leveldb::Status FaultEnv::sync(const std::string& name, leveldb::WritableFile& file) {
  if (on_sync) on_sync();
  const std::lock_guard guard(mutex_);
  if (syncs_fail_) return leveldb::Status::IOError(name, "injected sync error");
  ++syncs_;
  const leveldb::Status status = file.Flush();  // nothing here waits for a real disk
  if (status.ok()) sizes_[name].synced = sizes_[name].written;
  return status;
}

}  // namespace kvorum::engine::testing
