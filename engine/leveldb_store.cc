// SPDX-License-Identifier: Apache-2.0
#include "engine/leveldb_store.h"

#include <fcntl.h>
#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/env.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <shared_mutex>

namespace kvorum::engine {
namespace {

constexpr int kBloomBitsPerKey = 10;
constexpr size_t kTableBytes = 8 * 1024 * 1024;  // fewer files to make, name and remove
constexpr uint64_t kProbeChunkBytes = 64 * 1024;
constexpr size_t kKeptBatchBytes = 32 * 1024 * 1024;

Status to_status(const leveldb::Status& status) {
  if (status.ok()) return {};
  Code code = Code::kInvalid;
  if (status.IsNotFound()) code = Code::kNotFound;
  if (status.IsCorruption()) code = Code::kCorruption;
  if (status.IsIOError()) code = Code::kIoError;
  return {code, status.ToString()};
}

leveldb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const leveldb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

class NullLogger : public leveldb::Logger {
 public:
  void Logv(const char*, std::va_list) override {}
};

// LevelDB's log files, kept open past their Close() until what they hold is on the disk: by a
// sync, or because the file was removed, after its contents went into synced tables.
class LogKeepingEnv : public leveldb::EnvWrapper {
 public:
  LogKeepingEnv(leveldb::Env* target, std::string directory)
      : EnvWrapper(target), directory_(std::move(directory)) {}

  leveldb::Status NewWritableFile(const std::string& name, leveldb::WritableFile** file) override {
    leveldb::Status status = target()->NewWritableFile(name, file);
    if (status.ok() && name.ends_with(".log")) *file = new LogFile(this, name, *file);
    return status;
  }

  leveldb::Status RemoveFile(const std::string& name) override {
    forget(name);
    return target()->RemoveFile(name);
  }

  leveldb::Status sync_kept() {
    const std::lock_guard guard(mutex_);
    while (!kept_.empty()) {
      leveldb::Status status = kept_.begin()->second->Sync();
      if (!status.ok()) return status;
      kept_.erase(kept_.begin());
    }
    return {};
  }

  void forget(const std::string& name) {
    const std::lock_guard guard(mutex_);
    kept_.erase(name);
  }

 private:
  class LogFile : public leveldb::WritableFile {
   public:
    LogFile(LogKeepingEnv* env, std::string name, leveldb::WritableFile* file)
        : env_(env), name_(std::move(name)), file_(file) {}
    ~LogFile() override { Close(); }

    leveldb::Status Append(const leveldb::Slice& bytes) override {
      synced_ = false;
      return file_->Append(bytes);
    }
    leveldb::Status Flush() override { return file_->Flush(); }
    leveldb::Status Sync() override {
      leveldb::Status status = file_->Sync();
      if (status.ok() && !named_) env_->sync_directory();
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
    LogKeepingEnv* const env_;
    const std::string name_;
    std::unique_ptr<leveldb::WritableFile> file_;
    bool synced_ = true;
    bool named_ = false;  // the directory entry is on the disk too
  };

  void keep(const std::string& name, std::unique_ptr<leveldb::WritableFile> file) {
    const std::lock_guard guard(mutex_);
    kept_[name] = std::move(file);
  }

  void sync_directory() const {
    const int directory = ::open(directory_.c_str(), O_RDONLY | O_CLOEXEC);
    if (directory < 0) return;
    ::fsync(directory);
    ::close(directory);
  }

  const std::string directory_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<leveldb::WritableFile>> kept_;
};

}  // namespace

struct LevelDbStore::Impl {
  explicit Impl(const LevelDbOptions& store_options);

  Status open();
  Status probe_disk();
  Status log_bytes(uint64_t* bytes);
  Status refused() const {
    return {Code::kUnavailable, "the store failed and was not reopened yet"};
  }
  Status fail(const leveldb::Status& status) {
    failed = true;
    return to_status(status);
  }

  const LevelDbOptions options;
  LogKeepingEnv env;
  std::unique_ptr<leveldb::Logger> logger;
  std::unique_ptr<leveldb::Cache> cache;
  std::unique_ptr<const leveldb::FilterPolicy> filter;
  mutable std::shared_mutex mutex;  // shared: the database is used; alone: it is replaced
  std::unique_ptr<leveldb::DB> db;  // null after a reopen() that failed half way
  std::atomic<bool> failed{false};
  leveldb::WriteBatch changes;  // of the one writer, empty between writes; keeps its memory
};

LevelDbStore::Impl::Impl(const LevelDbOptions& store_options)
    : options(store_options),
      env(store_options.env != nullptr ? store_options.env : leveldb::Env::Default(),
          store_options.directory),
      cache(leveldb::NewLRUCache(store_options.block_cache_bytes)),
      filter(leveldb::NewBloomFilterPolicy(kBloomBitsPerKey)) {
  leveldb::Logger* opened = nullptr;
  if (!options.log_file.empty()) env.NewLogger(options.log_file, &opened);
  logger.reset(opened != nullptr ? opened : new NullLogger);
}

Status LevelDbStore::Impl::open() {
  leveldb::Options settings;
  settings.create_if_missing = true;
  settings.paranoid_checks = true;
  settings.env = &env;
  settings.info_log = logger.get();
  settings.block_cache = cache.get();
  settings.filter_policy = filter.get();
  settings.write_buffer_size = options.write_buffer_bytes;
  settings.max_file_size = kTableBytes;
  settings.compression = options.compress ? leveldb::kSnappyCompression : leveldb::kNoCompression;
  leveldb::DB* opened = nullptr;
  const leveldb::Status status = leveldb::DB::Open(settings, options.directory, &opened);
  if (!status.ok()) {
    const std::string text = status.ToString();
    if (text.find("/LOCK: ") != std::string::npos && status.IsIOError()) {
      return {Code::kUnavailable, "data directory " + options.directory +
                                      " is in use by another kvorum (" + text + ")"};
    }
    return to_status(status);
  }
  db.reset(opened);
  return {};
}

// Opening turns the logs into tables: it needs as many bytes again.
Status LevelDbStore::Impl::log_bytes(uint64_t* bytes) {
  *bytes = kProbeChunkBytes;
  std::vector<std::string> names;
  const leveldb::Status status = env.GetChildren(options.directory, &names);
  for (const std::string& name : names) {
    uint64_t size = 0;
    if (!name.ends_with(".log")) continue;
    if (env.GetFileSize(options.directory + "/" + name, &size).ok()) *bytes += size;
  }
  return to_status(status);
}

Status LevelDbStore::Impl::probe_disk() {
  uint64_t bytes = 0;
  Status counted = log_bytes(&bytes);
  if (!counted.ok()) return counted;
  const std::string name = options.directory + "/probe";
  leveldb::WritableFile* opened = nullptr;
  leveldb::Status status = env.NewWritableFile(name, &opened);
  if (!status.ok()) return to_status(status);
  const std::unique_ptr<leveldb::WritableFile> file(opened);
  const std::string chunk(kProbeChunkBytes, 'p');
  for (uint64_t written = 0; written < bytes && status.ok(); written += chunk.size()) {
    status = file->Append(chunk);
  }
  if (status.ok()) status = file->Sync();
  if (status.ok()) status = file->Close();
  env.RemoveFile(name);
  return to_status(status);
}

LevelDbStore::LevelDbStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LevelDbStore::~LevelDbStore() = default;

Result<std::unique_ptr<LevelDbStore>> LevelDbStore::open(const LevelDbOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  if (error) {
    return Status(Code::kIoError,
                  "data directory " + options.directory + " cannot be created: " + error.message());
  }
  auto impl = std::make_unique<Impl>(options);
  Status status = impl->open();
  if (!status.ok()) return status;
  return std::unique_ptr<LevelDbStore>(new LevelDbStore(std::move(impl)));
}

Status LevelDbStore::write(const StoreBatch& batch, bool sync) {
  const std::shared_lock guard(impl_->mutex);
  if (impl_->failed || !impl_->db) return impl_->refused();
  leveldb::WriteBatch& changes = impl_->changes;
  for (size_t at = 0; at < batch.size(); ++at) {
    const StoreBatch::Change change = batch[at];
    if (change.erase) {
      changes.Delete(slice(change.key));
    } else {
      changes.Put(slice(change.key), slice(change.value));
    }
  }
  leveldb::WriteOptions how;
  how.sync = sync;
  const leveldb::Status status = impl_->db->Write(how, &changes);
  changes.Clear();
  if (batch.bytes() > kKeptBatchBytes) changes = {};
  return status.ok() ? Status() : impl_->fail(status);
}

Status LevelDbStore::sync() {
  const std::shared_lock guard(impl_->mutex);
  if (impl_->failed || !impl_->db) return impl_->refused();
  leveldb::WriteOptions how;
  how.sync = true;
  leveldb::WriteBatch nothing;
  leveldb::Status status = impl_->db->Write(how, &nothing);
  if (status.ok()) status = impl_->env.sync_kept();  // last: the write may have left a log
  return status.ok() ? Status() : impl_->fail(status);
}

Status LevelDbStore::read(std::string_view key, std::string* value) const {
  const std::shared_lock guard(impl_->mutex);
  if (!impl_->db) return impl_->refused();
  leveldb::ReadOptions how;
  how.verify_checksums = true;
  return to_status(impl_->db->Get(how, slice(key), value));
}

Status LevelDbStore::scan(
    std::string_view begin, std::string_view end,
    FunctionRef<bool(std::string_view key, std::string_view value)> fn) const {
  const std::shared_lock guard(impl_->mutex);
  if (!impl_->db) return impl_->refused();
  leveldb::ReadOptions how;
  how.verify_checksums = true;
  how.fill_cache = false;
  const std::unique_ptr<leveldb::Iterator> it(impl_->db->NewIterator(how));
  for (it->Seek(slice(begin)); it->Valid(); it->Next()) {
    if (!end.empty() && view(it->key()) >= end) break;
    if (!fn(view(it->key()), view(it->value()))) break;
  }
  return to_status(it->status());
}

Status LevelDbStore::reopen() {
  Status status;
  if (impl_->db) status = impl_->probe_disk();
  if (!status.ok()) return status;
  const std::unique_lock guard(impl_->mutex);
  impl_->db.reset();
  status = impl_->open();
  if (status.ok()) impl_->failed = false;
  return status;
}

}  // namespace kvorum::engine
