// SPDX-License-Identifier: Apache-2.0
#include "engine/store/leveldb_store.h"

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>

#include <atomic>
#include <filesystem>
#include <optional>

#include "base/check.h"
#include "base/mutex.h"
#include "engine/store/leveldb_env.h"
#include "engine/store/leveldb_salvage.h"

namespace kvorum::engine {
namespace {

constexpr int kBloomBitsPerKey = 10;
constexpr size_t kTableBytes = 8 * 1024 * 1024;  // fewer files to make, name and remove
constexpr uint64_t kProbeChunkBytes = 64 * 1024;
constexpr size_t kKeptBatchBytes = 32 * 1024 * 1024;

leveldb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
std::string_view view(const leveldb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

class NullLogger : public leveldb::Logger {
 public:
  void Logv(const char*, std::va_list) override {}
};

}  // namespace

struct LevelDbStore::Impl final : CompactionTarget {
  explicit Impl(const LevelDbOptions& store_options);

  // CompactionTarget
  uint64_t written_batches() const override { return batches.load(std::memory_order_relaxed); }
  uint64_t log_bytes_now() const override;
  void flush_memory() override { compact_between("\xff\xff", "\xff\xff"); }
  uint64_t table_bytes(std::string_view begin, std::string_view end) const override;
  bool measure(std::string_view begin, std::string_view end, ErasedBook::Live* live) override;
  void compact(std::string_view begin, std::string_view end) override;
  void compact_between(std::string_view begin, std::string_view end);

  Status flush();
  leveldb::Options settings();
  Status open() KVORUM_REQUIRES(mutex);
  Status salvage(const Status& damage, std::string* report) KVORUM_REQUIRES(mutex);
  bool is_open() const {
    const SharedLock guard(mutex);
    return db != nullptr;
  }
  Status probe_disk();
  Status log_bytes(uint64_t* bytes) const;
  Status refused() const {
    return {Code::kUnavailable, "the store failed and was not reopened yet"};
  }
  Status fail(const leveldb::Status& status) {
    failed = true;
    if (status.IsCorruption()) damaged = true;
    return to_status(status);
  }
  // Damage that was met stays, and a later compaction would stop at it. Where there is no other
  // copy what is whole still can be read and written, and a person decides when to salvage().
  Status seen(Status status) {
    if (status.code() == Code::kCorruption && options.replicated) failed = damaged = true;
    return status;
  }

  const LevelDbOptions options;
  StoreEnv env;
  std::unique_ptr<leveldb::Logger> logger;
  std::unique_ptr<leveldb::Cache> cache;
  std::unique_ptr<const leveldb::FilterPolicy> filter;
  mutable SharedMutex mutex;  // shared: the database is used; alone: it is replaced
  // Null after a reopen() that failed half way.
  std::unique_ptr<leveldb::DB> db KVORUM_GUARDED_BY(mutex);
  std::atomic<bool> failed{false}, damaged{false};
  leveldb::WriteBatch changes;  // of the one writer, empty between writes; keeps its memory
  std::atomic<uint64_t> batches{0};
  std::atomic<bool> unflushed{false};  // where there is no log: memory has what no table has
  ErasedBook erased;
  std::unique_ptr<CompactionThread> compaction;  // the last: it uses all the rest
};

LevelDbStore::Impl::Impl(const LevelDbOptions& store_options)
    : options(store_options),
      env(store_options.env != nullptr ? store_options.env : leveldb::Env::Default(),
          store_options.directory, store_options.logged),
      cache(leveldb::NewLRUCache(store_options.block_cache_bytes)),
      filter(leveldb::NewBloomFilterPolicy(kBloomBitsPerKey)) {
  leveldb::Logger* opened = nullptr;
  if (!options.log_file.empty()) env.NewLogger(options.log_file, &opened);
  logger.reset(opened != nullptr ? opened : new NullLogger);
}

leveldb::Options LevelDbStore::Impl::settings() {
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
  return settings;
}

Status LevelDbStore::Impl::open() {
  KVORUM_CHECK(db == nullptr);  // it holds the lock that opening takes
  if (lacks_current(env, options.directory)) {
    return {Code::kCorruption, options.directory + " has tables or logs, and no CURRENT"};
  }
  leveldb::DB* opened = nullptr;
  const leveldb::Status status = leveldb::DB::Open(settings(), options.directory, &opened);
  if (!status.ok()) {
    const std::string text = status.ToString();
    if (text.find("/LOCK: ") != std::string::npos && status.IsIOError()) {
      return {Code::kUnavailable, "data directory " + options.directory +
                                      " is in use by another kvorum (" + text + ")"};
    }
    return to_status(status);
  }
  db.reset(opened);
  failed = damaged = false;
  return {};
}

Status LevelDbStore::Impl::salvage(const Status& damage, std::string* report) {
  db.reset();
  env.forget_logs();
  const std::string& directory = options.directory;
  Result<std::string> kept =
      salvage_database({settings(), directory, options.salvage_erases, options.keeps_damaged});
  const bool nothing = !kept.ok() && kept.status().code() == Code::kNotFound;
  *report = directory + " was damaged (" + damage.message() + "); what could be read was saved";
  if (nothing && !options.replicated) {
    return {Code::kCorruption,
            directory + " is damaged (" + damage.message() +
                "), nothing in it can be read and no other node holds copies of what was in it; "
                "restore a backup, or move it away to begin empty"};
  }
  if (nothing) {
    kept = set_aside(directory);
    *report = directory + " was damaged (" + damage.message() + "); nothing in it could be read";
  }
  if (!kept.ok()) return kept.status();
  if (!kept.value().empty()) *report += "; the damaged files are kept in " + kept.value();
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  return open();
}

// Opening turns the logs into tables: it needs as many bytes again.
Status LevelDbStore::Impl::log_bytes(uint64_t* bytes) const {
  *bytes = kProbeChunkBytes;
  std::vector<std::string> names;
  leveldb::Env* const files = const_cast<StoreEnv*>(&env);  // LevelDB's interface knows no const
  const leveldb::Status status = files->GetChildren(options.directory, &names);
  for (const std::string& name : names) {
    uint64_t size = 0;
    if (!name.ends_with(".log")) continue;
    if (files->GetFileSize(options.directory + "/" + name, &size).ok()) *bytes += size;
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

uint64_t LevelDbStore::Impl::log_bytes_now() const {
  uint64_t bytes = 0;
  return log_bytes(&bytes).ok() ? bytes : 0;
}

uint64_t LevelDbStore::Impl::table_bytes(std::string_view begin, std::string_view end) const {
  const SharedLock guard(mutex);
  if (!db) return 0;
  const leveldb::Range range(slice(begin), slice(end));
  uint64_t bytes = 0;
  db->GetApproximateSizes(&range, 1, &bytes);
  return bytes;
}

bool LevelDbStore::Impl::measure(std::string_view begin, std::string_view end,
                                 ErasedBook::Live* live) {
  const SharedLock guard(mutex);
  if (failed || !db) return false;
  leveldb::ReadOptions how;
  how.verify_checksums = true;
  how.fill_cache = false;
  const std::unique_ptr<leveldb::Iterator> it(db->NewIterator(how));
  for (it->Seek(slice(begin)); it->Valid() && view(it->key()) < end; it->Next()) {
    live->count(view(it->key()), view(it->value()));
  }
  return seen(to_status(it->status())).ok();
}

// LevelDB rewrites what overlaps with a level above it. Two deletes of keys that are none, around
// the stretch, see to it that its last level is rewritten too.
void LevelDbStore::Impl::compact(std::string_view begin, std::string_view end) {
  {
    const SharedLock guard(mutex);
    if (failed || !db) return;
    leveldb::WriteBatch marks;
    marks.Delete(slice(begin));
    marks.Delete(slice(end));
    if (const leveldb::Status status = db->Write({}, &marks); !status.ok()) {
      static_cast<void>(fail(status));  // the next write says so
      return;
    }
  }
  compact_between(begin, end);
}

void LevelDbStore::Impl::compact_between(std::string_view begin, std::string_view end) {
  const SharedLock guard(mutex);
  if (failed || !db) return;
  const leveldb::Slice first = slice(begin), last = slice(end);
  db->CompactRange(&first, &last);
}

// Makes a table of what is in memory. LevelDB tells of its failure with the next write.
Status LevelDbStore::Impl::flush() {
  if (!unflushed.exchange(false)) return {};
  const leveldb::Slice nothing("\xff\xff");
  db->CompactRange(&nothing, &nothing);
  leveldb::WriteBatch none;
  const leveldb::Status status = db->Write({}, &none);
  return status.ok() ? Status() : fail(status);
}

LevelDbStore::LevelDbStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
  impl_->compaction =
      std::make_unique<CompactionThread>(impl_.get(), &impl_->erased, impl_->options.compaction);
}
LevelDbStore::~LevelDbStore() = default;

Result<std::unique_ptr<LevelDbStore>> LevelDbStore::open(const LevelDbOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  if (error) {
    return Status(Code::kIoError,
                  "data directory " + options.directory + " cannot be created: " + error.message());
  }
  auto impl = std::make_unique<Impl>(options);
  {
    const AloneLock guard(impl->mutex);
    if (Status status = impl->open(); !status.ok()) return status;
  }
  return std::unique_ptr<LevelDbStore>(new LevelDbStore(std::move(impl)));
}

Result<std::unique_ptr<LevelDbStore>> LevelDbStore::open_or_salvage(const LevelDbOptions& options,
                                                                    std::string* salvaged) {
  auto opened = open(options);
  if (opened.ok() || opened.status().code() != Code::kCorruption) return opened;
  auto impl = std::make_unique<Impl>(options);
  {
    const AloneLock guard(impl->mutex);
    Status status = impl->salvage(opened.status(), salvaged);
    if (!status.ok()) return status;
  }
  return std::unique_ptr<LevelDbStore>(new LevelDbStore(std::move(impl)));
}

Status LevelDbStore::write(const StoreBatch& batch, bool sync) {
  const SharedLock guard(impl_->mutex);
  if (impl_->failed || !impl_->db) return impl_->refused();
  leveldb::WriteBatch& changes = impl_->changes;
  std::string whole;
  for (size_t at = 0; at < batch.size(); ++at) {
    const StoreBatch::Change change = batch[at];
    if (change.erase) {
      impl_->erased.note_erased(change.key);
      changes.Delete(slice(change.key));
    } else {
      changes.Put(slice(change.key), slice(change.whole_value(whole)));
    }
  }
  leveldb::WriteOptions how;
  how.sync = sync && impl_->options.logged;
  impl_->batches.fetch_add(1, std::memory_order_relaxed);
  const leveldb::Status status = impl_->db->Write(how, &changes);
  changes.Clear();
  if (batch.bytes() > kKeptBatchBytes) changes = {};
  if (!status.ok()) return impl_->fail(status);
  impl_->unflushed = true;
  return sync && !impl_->options.logged ? impl_->flush() : Status();
}

Status LevelDbStore::sync() {
  const SharedLock guard(impl_->mutex);
  if (impl_->failed || !impl_->db) return impl_->refused();
  if (!impl_->options.logged) return impl_->flush();
  const leveldb::Status status = impl_->env.sync_logs();
  return status.ok() ? Status() : impl_->fail(status);
}

Status LevelDbStore::read(std::string_view key, std::string* value) const {
  const SharedLock guard(impl_->mutex);
  if (!impl_->db) return impl_->refused();
  leveldb::ReadOptions how;
  how.verify_checksums = true;
  return impl_->seen(to_status(impl_->db->Get(how, slice(key), value)));
}

Status LevelDbStore::scan(
    std::string_view begin, std::string_view end,
    FunctionRef<bool(std::string_view key, std::string_view value)> fn) const {
  const SharedLock guard(impl_->mutex);
  if (!impl_->db) return impl_->refused();
  leveldb::ReadOptions how;
  how.verify_checksums = true;
  how.fill_cache = false;
  const std::unique_ptr<leveldb::Iterator> it(impl_->db->NewIterator(how));
  std::optional<ErasedBook::Census> census;
  if (begin.empty()) census.emplace();
  bool whole = true;
  for (it->Seek(slice(begin)); it->Valid(); it->Next()) {
    if (!end.empty() && view(it->key()) >= end) break;
    if (census) census->count(view(it->key()), view(it->value()));
    whole = fn(view(it->key()), view(it->value()));
    if (!whole) break;
  }
  if (census && whole && it->status().ok()) impl_->erased.take(*census);
  return impl_->seen(to_status(it->status()));
}

Status LevelDbStore::reopen() {
  if (impl_->damaged) return {Code::kCorruption, "the store is damaged"};
  Status status;
  if (impl_->is_open()) status = impl_->probe_disk();
  if (!status.ok()) return status;
  const AloneLock guard(impl_->mutex);
  impl_->db.reset();
  return impl_->open();
}

Result<std::string> LevelDbStore::salvage(const Status& damage) {
  if (Status status = impl_->probe_disk(); !status.ok()) return status;
  const AloneLock guard(impl_->mutex);
  std::string report;
  Status status = impl_->salvage(damage, &report);
  if (!status.ok()) return status;
  return report;
}

}  // namespace kvorum::engine
