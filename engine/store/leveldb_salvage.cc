// SPDX-License-Identifier: Apache-2.0
#include "engine/store/leveldb_salvage.h"

#include <fcntl.h>
#include <leveldb/db.h>
#include <leveldb/env.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>
#include <vector>

#include "engine/store/leveldb_env.h"

namespace kvorum::engine {
namespace {

namespace fs = std::filesystem;

constexpr size_t kReplayBufferBytes = 1 << 30;  // one table per log, which nothing compacts
constexpr int kDamagedKeptMax = 1000;

bool is_table(const std::string& name) { return name.ends_with(".ldb") || name.ends_with(".sst"); }
bool is_log(const std::string& name) { return name.ends_with(".log"); }

Status failed(const std::string& what, const std::error_code& error) {
  const bool full = error == std::errc::no_space_on_device;
  return {full ? Code::kNoSpace : Code::kIoError, what + ": " + error.message()};
}

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_regular_file(error)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

uint64_t number_of(const fs::path& file) {
  const std::string stem = file.stem().string();
  uint64_t number = 0;
  std::from_chars(stem.data(), stem.data() + stem.size(), number);
  return number;
}

class Salvage {
 public:
  explicit Salvage(const SalvageOptions& options)
      : options_(options),
        work_(options.directory + ".salvage"),
        logs_(options.directory + ".salvage-logs") {
    remove_work();
  }
  ~Salvage() { remove_work(); }

  Status repair();
  // Both directories change places; the original is where `work` was.
  Status exchange();
  const fs::path& work() const { return work_; }

 private:
  void remove_work() {
    std::error_code ignored;
    fs::remove_all(work_, ignored);
    fs::remove_all(logs_, ignored);
  }
  Status link_files();
  Status replay_logs();
  Status take_replayed();
  Result<bool> finish();

  const SalvageOptions& options_;
  const fs::path work_, logs_;
};

Status Salvage::link_files() {
  remove_work();
  std::error_code error;
  fs::create_directories(work_, error);
  if (error) return failed("cannot create " + work_.string(), error);
  for (const fs::path& file : files_of(options_.directory)) {
    const std::string name = file.filename().string();
    const bool wanted =
        is_table(name) || is_log(name) || name == "CURRENT" || name.starts_with("MANIFEST-");
    if (!wanted) continue;
    fs::create_hard_link(file, work_ / name, error);
    if (error) fs::copy_file(file, work_ / name, error);
    if (error) return failed("cannot save " + file.string(), error);
  }
  return {};
}

// RepairDB would take log records without looking at their checksums, so it gets tables in their
// place: those that LevelDB makes of the logs when it finds them in a new database. It has to be
// told to go on after a damaged record, and then compacts unchecked too, so that database must hold
// nothing but what it just read from the logs.
Status Salvage::replay_logs() {
  std::error_code error;
  fs::create_directories(logs_, error);
  for (const fs::path& file : files_of(work_)) {
    if (!error && is_log(file)) fs::rename(file, logs_ / file.filename(), error);
  }
  if (error) return failed("cannot set the logs aside", error);
  leveldb::Options settings = options_.settings;
  settings.create_if_missing = true;
  settings.paranoid_checks = false;
  settings.write_buffer_size = kReplayBufferBytes;
  leveldb::DB* opened = nullptr;
  const leveldb::Status status = leveldb::DB::Open(settings, logs_, &opened);
  delete opened;
  return to_status(status);
}

Status Salvage::take_replayed() {
  uint64_t next = 1;
  for (const fs::path& file : files_of(work_)) next = std::max(next, number_of(file) + 1);
  std::error_code error;
  for (const fs::path& file : files_of(logs_)) {
    if (error || !is_table(file)) continue;
    const std::string digits = std::to_string(next++);
    const std::string zeros(digits.size() < 6 ? 6 - digits.size() : 0, '0');
    fs::rename(file, work_ / (zeros + digits + ".ldb"), error);
  }
  if (error) return failed("cannot take over what the logs held", error);
  return {};
}

// Whether there is anything in it.
Result<bool> Salvage::finish() {
  leveldb::Options settings = options_.settings;
  settings.create_if_missing = false;
  leveldb::DB* opened = nullptr;
  const leveldb::Status status = leveldb::DB::Open(settings, work_, &opened);
  if (!status.ok()) return to_status(status);
  const std::unique_ptr<leveldb::DB> db(opened);
  if (!options_.erases.empty()) {
    leveldb::WriteOptions synced;
    synced.sync = true;
    const leveldb::Status erased = db->Delete(synced, options_.erases);
    if (!erased.ok()) return to_status(erased);
  }
  const std::unique_ptr<leveldb::Iterator> it(db->NewIterator({}));
  it->SeekToFirst();
  return it->Valid();
}

Status Salvage::repair() {
  if (Status status = link_files(); !status.ok()) return status;
  if (Status status = replay_logs(); !status.ok()) return status;
  if (Status status = take_replayed(); !status.ok()) return status;
  const leveldb::Status repaired = leveldb::RepairDB(work_, options_.settings);
  if (!repaired.ok()) return to_status(repaired);
  const Result<bool> anything = finish();
  if (!anything.ok()) return anything.status();
  if (!anything.value()) return {Code::kNotFound, "nothing in it can be read"};
  std::error_code ignored;
  fs::remove_all(work_ / "lost", ignored);  // the original has these files too
  return {};
}

Status Salvage::exchange() {
  const fs::path& original = options_.directory;
  if (::renameat2(AT_FDCWD, work_.c_str(), AT_FDCWD, original.c_str(), RENAME_EXCHANGE) != 0) {
    return failed("cannot put what was saved into " + options_.directory,
                  std::error_code(errno, std::generic_category()));
  }
  sync_directory(original.parent_path());
  return {};
}

Result<std::string> move_aside(const fs::path& from, const std::string& directory) {
  std::error_code error;
  for (int n = 1; n <= kDamagedKeptMax; ++n) {
    const std::string kept = directory + ".damaged-" + std::to_string(n);
    if (fs::exists(kept, error)) continue;
    fs::rename(from, kept, error);
    if (error) return failed("cannot set " + from.string() + " aside", error);
    sync_directory(fs::path(kept).parent_path());
    return kept;
  }
  return Status(Code::kExists, "too many damaged copies of " + directory + " are kept already");
}

}  // namespace

Result<std::string> salvage_database(const SalvageOptions& options) {
  Salvage salvage(options);
  if (Status status = salvage.repair(); !status.ok()) return status;
  if (Status status = salvage.exchange(); !status.ok()) return status;
  if (options.keeps_original) return move_aside(salvage.work(), options.directory);
  return std::string();
}

Result<std::string> set_aside(const std::string& directory) {
  return move_aside(directory, directory);
}

bool lacks_current(leveldb::Env& env, const std::string& directory) {
  if (env.FileExists(directory + "/CURRENT")) return false;
  std::vector<std::string> names;
  env.GetChildren(directory, &names);
  return std::any_of(names.begin(), names.end(),
                     [](const std::string& name) { return is_table(name) || is_log(name); });
}

}  // namespace kvorum::engine
