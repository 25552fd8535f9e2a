// SPDX-License-Identifier: Apache-2.0
#include "server/storage/hint_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "engine/store/leveldb_store.h"
#include "server/process/logging.h"
#include "server/process/random_number.h"
#include "server/storage/journal_files.h"

namespace kvorum::server {
namespace {

// Hints are all in memory: the store is read at the start alone.
constexpr size_t kBlockCacheBytes = 1 << 20;
constexpr size_t kWriteBufferBytes = 4 << 20;
// Of the journal of the objects. Most hints are delivered soon.
constexpr uint64_t kJournalPart = 8, kJournalLeast = 16 << 20;

}  // namespace

Status HintStore::open() {
  const std::string directory = config_.node.data_directory + "/hints";
  engine::LevelDbOptions options;
  options.directory = directory;
  options.block_cache_bytes = kBlockCacheBytes;
  options.write_buffer_bytes = kWriteBufferBytes;
  options.logged = false;  // the journal stands before it
  options.compaction.wait_ms = [this](size_t bytes) { return pace_.wait_ms(bytes); };
  // Hints that cannot be read may be the only copies of their writes: they are kept aside. But a
  // node that does not start for them would keep its objects from everybody too.
  options.replicated = true;
  std::string salvaged;
  auto opened = engine::LevelDbStore::open_or_salvage(options, &salvaged);
  if (!opened.ok()) {
    return Status(opened.status().code(), fmt::format("cannot open the hints in {}: {}", directory,
                                                      opened.status().message()));
  }
  if (!salvaged.empty()) note_salvage(salvaged);
  engine::JournalOptions journal;
  journal.capacity_bytes = std::max(config_.engine.journal_bytes / kJournalPart, kJournalLeast);
  journal.fresh_id = random_number();
  journal.below_was_salvaged = !salvaged.empty();
  std::string damage;
  auto journaled = open_journaled(journal, {directory + "-journal", config_.engine.sync},
                                  std::move(opened).value(), &damage);
  if (!journaled.ok()) return journaled.status();
  if (!damage.empty()) note_salvage(directory + ": " + damage);
  store_ = std::move(journaled).value();
  return {};
}

void HintStore::note_salvage(const std::string& report) {
  log_error(
      "{}; hints that are missing were copies of writes on their way to other nodes: what no "
      "other copy exists of is lost",
      report);
  ++faults_at_start_.damage_met;
  ++faults_at_start_.salvages;
}

Status HintStore::read(const Reading& reading) {
  Status status = read_once(reading);
  if (status.code() != Code::kCorruption && status.code() != Code::kIoError) return status;
  forget();
  const Result<std::string> done = store_->salvage(status);
  if (!done.ok()) return done.status();
  note_salvage(done.value());
  return read_once(reading);
}

void HintStore::forget() {
  KVORUM_CHECK(!committer_);  // which has the table
  hints_.reset();
  table_.reset();
}

Status HintStore::read_once(const Reading& reading) {
  engine::TableOptions options = cluster::Hints::table_options(reading.hash_seed);
  options.store = store_.get();
  options.journal = store_.get();
  options.codec = reading.codec;
  table_ = std::make_unique<engine::ObjectTable>(options);
  hints_ = std::make_unique<cluster::Hints>(
      table_.get(), reading.authors,
      cluster::HintOptions{reading.partitioner, config_.limits.hints_bytes});
  if (!store_) return {};
  if (Status status = table_->store_reader().warm(); !status.ok()) {
    return Status(status.code(), fmt::format("cannot read the hints in {}/hints: {}",
                                             config_.node.data_directory, status.message()));
  }
  hints_->recover();
  if (hints_->pending() != 0) log_info("{} hints for other nodes were kept", hints_->pending());
  if (table_->store_reader().damaged_count() != 0) {
    log_error("{} damaged hints were left out", table_->store_reader().damaged_count());
  }
  return {};
}

void HintStore::start_commits(std::function<void(engine::Ticket, const Status&)> on_round) {
  KVORUM_CHECK(table_ != nullptr);
  if (!store_) return;
  engine::CommitterOptions options;
  options.sync = config_.engine.sync;
  options.salvages = true;
  options.on_salvage = [](const std::string& report) { log_error("{}", report); };
  options.on_checkpoint_trouble = checkpoint_log("hints");
  options.on_round = std::move(on_round);
  committer_ = std::make_unique<engine::Committer>(table_.get(), store_.get(), std::move(options));
}

void HintStore::end_commits() {
  committer_.reset();
  if (!store_) return;
  if (const Status status = store_->close(); !status.ok()) {
    log_error("the journal of the hints could not be closed: {}", status.message());
  }
}

}  // namespace kvorum::server
