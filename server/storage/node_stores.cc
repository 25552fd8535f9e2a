// SPDX-License-Identifier: Apache-2.0
#include "server/storage/node_stores.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <utility>

#include "base/check.h"
#include "cluster/copies/tree_roots.h"
#include "cluster/ring/founding.h"
#include "engine/store/leveldb_store.h"
#include "server/commands/edits.h"
#include "server/process/cpu_count.h"
#include "server/process/logging.h"
#include "server/process/process_stats.h"
#include "server/process/random_number.h"
#include "server/storage/journal_files.h"

namespace kvorum::server {
namespace {

constexpr uint32_t kStartThreadsMax = 8;

// The highest reading that this node's own versions in the store carry.
Hlc highest_own(const cluster::AuthorTable& authors, cluster::NodeId node) {
  uint64_t highest = 0;
  for (uint32_t i = 0; i < authors.size(); ++i) {
    const cluster::Author& author = authors.at(static_cast<cluster::AuthorTable::Index>(i));
    if (author.node == node) highest = std::max(highest, author.highest_hlc.load());
  }
  return Hlc{highest};
}

KeyspaceMask last_write_keyspaces(const cluster::ClusterView& view) {
  KeyspaceMask keyspaces = 0;
  for (uint8_t db = 0; db < view.keyspaces.size(); ++db) {
    const bool lww = view.keyspaces[db].conflicts == cluster::ConflictPolicy::kLww;
    if (lww) keyspaces = static_cast<KeyspaceMask>(keyspaces | mask_of(db));
  }
  return keyspaces;
}

// They would be hidden by a memory node, and pass for whole later although they missed what came
// meanwhile.
Status refuse_objects_in(const std::string& directory) {
  std::error_code error;
  if (!std::filesystem::exists(directory + "/objects", error)) return {};
  return Status(Code::kExists,
                fmt::format("data directory {} holds the objects of engine leveldb, which engine "
                            "memory would neither show nor keep up to date: give the node "
                            "another directory (node.data), or move that one away",
                            directory));
}

// A checkpoint is one table of LevelDB then, and several lie beside each other before they are
// merged: with 8 MB, what is in the store is written twice as often.
uint64_t write_buffer_bytes(uint64_t journal_bytes) {
  return std::clamp(journal_bytes / 2, uint64_t{8} << 20, uint64_t{256} << 20);
}

}  // namespace

NodeStores::NodeStores(const Owner& owner)
    : config_(owner.config),
      view_(owner.view),
      founding_(owner.founding),
      node_id_(owner.id),
      membership_(config_.node.data_directory, node_id_, config_.node.name),
      alone_(owner.alone),
      founding_is_firm_(owner.founding_is_firm) {}

NodeStores::~NodeStores() = default;

uint64_t NodeStores::wall_ms() const { return TurnClock(config_.clock_offset_ms).read().wall_ms; }

bool NodeStores::is_replicated() const {
  if (!view_.is_member() || alone_) return false;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    if (view_.quorum(keyspace).n < 2) return false;
  }
  return true;
}

Status NodeStores::open() {
  KVORUM_CHECK(!store_);
  session_.incarnation = random_number();
  const std::string& directory = config_.node.data_directory;
  if (config_.engine.type != EngineType::kLevelDb) return refuse_objects_in(directory);
  auto lock = DirectoryLock::take(directory);
  if (!lock.ok()) return lock.status();
  Status status = lock.value().describe("node " + config_.node.name);
  if (!status.ok()) return status;
  directory_lock_.emplace(std::move(lock).value());
  status = keep_founding();
  if (status.ok()) status = open_objects();
  if (!status.ok()) return status;
  status = claim();
  if (status.code() == Code::kCorruption) {
    status = salvage(status);
    if (status.ok()) status = claim();
  }
  if (status.ok()) status = open_large_files();
  return status.ok() ? hints_.open() : status;
}

// Before there are objects: a directory that has some, and says nothing, is one of before.
Status NodeStores::keep_founding() {
  if (!view_.is_member() || view_.is_changed()) return {};
  std::error_code error;
  const bool says_something =
      std::filesystem::exists(config_.node.data_directory + "/membership", error);
  const bool is_raised = cluster::is_raised_placement(founding_.placement);
  return is_raised || says_something ? write_founding(founding_is_firm_) : Status();
}

Status NodeStores::open_objects() {
  engine::LevelDbOptions options;
  options.directory = config_.node.data_directory + "/objects";
  options.replicated = is_replicated();
  options.keeps_damaged = !options.replicated;
  options.salvage_erases = clean_stop_key();
  options.logged = false;  // the journal stands before it
  options.write_buffer_bytes = write_buffer_bytes(config_.engine.journal_bytes);
  options.compaction.wait_ms = [this](size_t bytes) { return pace_.wait_ms(bytes); };
  std::string salvaged;
  auto opened = engine::LevelDbStore::open_or_salvage(options, &salvaged);
  if (!opened.ok()) {
    return Status(opened.status().code(),
                  fmt::format("cannot open the store in {}: {}", config_.node.data_directory,
                              opened.status().message()));
  }
  if (!salvaged.empty()) note_salvage_at_start(salvaged);
  return open_journal(std::move(opened).value());
}

Status NodeStores::open_journal(std::unique_ptr<engine::Store> below) {
  const std::string& data = config_.node.data_directory;
  std::string identity, damage;
  const bool had_objects = below->read(identity_key(), &identity).ok();
  engine::JournalOptions options;
  options.capacity_bytes = config_.engine.journal_bytes;
  options.fresh_id = random_number();
  options.keeps_damaged = !is_replicated();
  options.salvage_erases = clean_stop_key();
  options.written_through = identity_key();
  options.below_was_salvaged = salvaged_;
  auto opened =
      open_journaled(options, {data + "/journal", config_.engine.sync}, std::move(below), &damage);
  if (!opened.ok()) return opened.status();
  store_ = std::move(opened).value();
  if (!damage.empty()) note_salvage_at_start(data + ": " + damage);
  if (had_objects && store_->is_new()) {
    log_warning(
        "data directory {} was written by a release without a journal; it has one now, "
        "and earlier releases refuse the directory from here on",
        data);
  }
  return {};
}

Status NodeStores::open_large_files() {
  auto opened = engine::LargeFiles::open(
      {config_.node.data_directory + "/large", config_.engine.sync != engine::SyncPolicy::kNever});
  if (!opened.ok()) {
    return Status(opened.status().code(), fmt::format("cannot open the files of large values: {}",
                                                      opened.status().message()));
  }
  large_files_ = std::move(opened).value();
  return {};
}

// What a salvage put aside, for a person to look at, may name files that no object has any more.
bool NodeStores::keeps_damaged_store() const {
  std::error_code error;
  return std::filesystem::exists(config_.node.data_directory + "/objects.damaged-1", error);
}

// After a salvage the facts may be those of long ago: they make no stop a clean one.
Status NodeStores::claim() {
  StoreClaim claim;
  claim.directory = config_.node.data_directory;
  claim.node_name = config_.node.name;
  claim.cluster_name = view_.cluster_name;
  claim.node_id = node_id_;
  claim.cluster_id = view_.cluster_id;
  claim.partitions = view_.ring.partitions();
  claim.partitioner = view_.partitioner;
  for (const cluster::Member& founder : founding_.members) {
    claim.member_names.push_back(founder.name);
  }
  std::sort(claim.member_names.begin(), claim.member_names.end());
  claim.configuration = cluster::configuration_of(cluster::found_view(founding_, {}));
  claim.alone = alone_;
  claim.waits = !view_.is_member();
  claim.addressed_cluster_id = cluster::addressed_cluster_id(founding_of(config_));
  const uint64_t fresh = random_number();
  auto begun = begin_session(*store_, claim, fresh);
  if (!begun.ok()) return begun.status();
  session_ = std::move(begun).value();
  if (!session_.taken_over.empty()) log_warning("{}", session_.taken_over);
  const auto& kept = session_.configurations;
  if (!view_.is_changed() && kept.size() >= cluster::FormerPlacements::kPlacementsMax &&
      !(kept.back() == claim.configuration)) {
    return Status(Code::kExists,
                  fmt::format("data directory {}: the configuration changed {} times before the "
                              "copies had followed; start with the last one and wait until "
                              "`kvorum status` says settled",
                              claim.directory, kept.size()));
  }
  if (!salvaged_) return {};
  session_.was_clean = false;
  session_.incarnation = fresh;
  return {};
}

void NodeStores::tell_of_salvage(const std::string& report) const {
  if (report.empty()) return;
  log_error("{}; {}", report,
            is_replicated()
                ? "what is missing comes back from the other nodes, and no answer of this copy "
                  "counts before"
                : "what could not be read is LOST unless another copy of it is kept somewhere: no "
                  "other node is sure to have it");
}

void NodeStores::note_salvage_at_start(const std::string& report) {
  salvaged_ = true;
  ++faults_at_start_.damage_met;
  ++faults_at_start_.salvages;
  tell_of_salvage(report);
}

Status NodeStores::salvage(const Status& damage) {
  const Result<std::string> done = store_->salvage(damage);
  if (!done.ok()) {
    return Status(done.status().code(),
                  fmt::format("cannot save what is in the damaged store in {}: {}",
                              config_.node.data_directory, done.status().message()));
  }
  note_salvage_at_start(done.value());
  return {};
}

// Reading every object meets all damage that opening did not.
Status NodeStores::read() {
  KVORUM_CHECK(!committer_);
  Status status = read_once();
  const bool damaged = status.code() == Code::kCorruption || status.code() == Code::kIoError;
  if (store_ && damaged && !salvaged_) {
    forget();
    status = salvage(status);
    if (status.ok()) status = claim();
    if (status.ok()) status = read_once();
  }
  if (!status.ok()) return status;
  incarnation_ = session_.incarnation;
  const MutexLock lock(configurations_lock_);
  configurations_ = session_.configurations;
  return {};
}

void NodeStores::forget() {
  facts_.reset();
  hints_.forget();
  objects_.reset();
}

engine::TableOptions NodeStores::table_options() {
  engine::TableOptions options;
  options.partition_bits = view_.ring.partition_bits();
  options.partitioner = view_.partitioner;
  options.hash_seed = random_number();
  options.memory_bytes_max = config_.engine.memory_bytes;
  options.eviction = config_.engine.eviction;
  if (config_.engine.eviction != engine::EvictionPolicy::kNone) {
    options.evicting_keyspaces = last_write_keyspaces(view_);
  }
  options.store = store_.get();
  options.journal = store_.get();
  options.codec = codec_.get();
  options.large_files = large_files_.get();
  options.keeps_unnamed_files = salvaged_ || keeps_damaged_store();
  options.keeps_trees = true;
  options.start_threads =
      std::bit_floor(std::min({usable_cpus(), kStartThreadsMax, 1U << options.partition_bits}));
  return options;
}

// Objects of other sizes than those before leave gaps.
void NodeStores::measure_memory() {
  constexpr uint64_t kUnusedShare = 32;  // of the limit: more goes back at once
  if (config_.engine.eviction == engine::EvictionPolicy::kNone) return;
  const AllocatorGaps gaps = allocator_gaps();
  objects_->set_lost_bytes(objects_->spare_bytes() + gaps.between_bytes);
  if (gaps.unused_bytes > config_.engine.memory_bytes / kUnusedShare) give_back_unused_pages();
}

Status NodeStores::read_once() {
  codec_ = std::make_unique<cluster::StoredRecordCodec>(&authors_, view_.cluster_id);
  objects_ = std::make_unique<engine::ObjectTable>(table_options());
  if (!session_.flush_marks.empty() && !marks_.merge_encoded(session_.flush_marks)) {
    return Status(Code::kInvalid, "the flush marks in the data directory cannot be read");
  }
  marks_.set_stored(marks_.generation());
  clock_.raise(session_.clock_least);
  clock_.mint_above(marks_.highest_of(node_id_, session_.incarnation));
  const Status status = hints_.read({random_number(), codec_.get(), &authors_, view_.partitioner});
  if (!status.ok() || !store_) return status;
  return read_objects();
}

Status NodeStores::read_objects() {
  const uint64_t began_us = TurnClock(0).read().steady_us;
  if (Status status = objects_->store_reader().warm(); !status.ok()) {
    return Status(status.code(), fmt::format("cannot read the store in {}: {}",
                                             config_.node.data_directory, status.message()));
  }
  clock_.mint_above(highest_own(authors_, node_id_));
  log_info("data directory {} read in {} ms{}", config_.node.data_directory,
           (TurnClock(0).read().steady_us - began_us) / 1000,
           session_.was_clean ? "" : " (the last stop was not a clean one, or there was none)");
  if (objects_->store_reader().damaged_count() != 0) {
    log_error("{} damaged records were left out; they are read again from other replicas",
              objects_->store_reader().damaged_count());
  }
  facts_ = std::make_unique<SessionFacts>(store_.get(), &clock_, &marks_,
                                          config_.engine.sync == engine::SyncPolicy::kAlways);
  return facts_->keep_clock(wall_ms());
}

cluster::NodeParts NodeStores::parts() {
  KVORUM_CHECK(objects_ != nullptr);
  cluster::NodeParts parts;
  parts.table = objects_.get();
  parts.hints = &hints_.hints();
  parts.authors = &authors_;
  parts.clock = &clock_;
  parts.marks = &marks_;
  parts.edits = all_edits();
  parts.incarnation = session_.incarnation;
  parts.digest_seed = view_.cluster_id;
  parts.renewed_incarnation = &incarnation_;
  return parts;
}

uint64_t NodeStores::renew_incarnation() { return incarnation_.exchange(random_number()); }

void NodeStores::start_commits(Rounds rounds) {
  KVORUM_CHECK(objects_ != nullptr && !committer_);
  if (store_) {
    engine::CommitterOptions options;
    options.sync = config_.engine.sync;
    options.salvages = is_replicated();
    options.on_salvage = [this](const std::string& report) {
      tell_of_salvage(report);
      note_trouble(facts_->write_again(wall_ms()));
    };
    options.on_checkpoint_trouble = checkpoint_log("objects");
    options.on_round = [this, tell = std::move(rounds.on_objects)](engine::Ticket ticket,
                                                                   const Status& status) {
      tell(ticket, status.ok());
      on_objects_round(status);
    };
    committer_ =
        std::make_unique<engine::Committer>(objects_.get(), store_.get(), std::move(options));
  }
  hints_.start_commits(
      [this, tell = std::move(rounds.on_hints)](engine::Ticket ticket, const Status& status) {
        tell(ticket, status.ok());
        // A stand-in coordinates in its hints: its dots are lost with them as those in objects are.
        if (!status.ok()) renew_incarnation();
        note_trouble(status);
      });
}

void NodeStores::on_objects_round(const Status& status) {
  if (status.ok()) {
    note_trouble(facts_->keep_clock(wall_ms()));
    note_trouble(facts_->keep_marks());  // which an earlier failure may have left behind
  } else {
    renew_incarnation();
  }
  note_trouble(status);
}

// A memory node forgets its objects with its marks; a durable one must remember both.
void NodeStores::store_marks(std::function<void()> stored) {
  if (!committer_) {
    marks_.set_stored(marks_.generation());
    return stored();
  }
  committer_->run_on_store_thread([this, stored = std::move(stored)] {
    note_trouble(facts_->keep_marks());
    stored();
  });
}

void NodeStores::keep_configurations(const std::vector<cluster::Configuration>& configurations) {
  const MutexLock lock(configurations_lock_);
  if (!facts_ || configurations == configurations_) return;
  configurations_ = configurations;
  if (!committer_) return note_trouble(facts_->keep_configurations(configurations_));
  committer_->run_on_store_thread([this] {
    const MutexLock last_wins(configurations_lock_);
    note_trouble(facts_->keep_configurations(configurations_));
  });
}

Status NodeStores::write_membership(std::string_view history) {
  const Status status =
      server::write_membership(config_.node.data_directory, node_id_, config_.node.name, history);
  note_trouble(status);
  return status;
}

Status NodeStores::keep_membership(std::shared_ptr<const cluster::History> history) {
  const Status status = membership_.keep(std::move(history));
  note_trouble(status);
  return status;
}

Status NodeStores::fold_membership(const cluster::History& history) {
  const Status status = membership_.fold(history);
  note_trouble(status);
  return status;
}

Status NodeStores::write_founding(bool is_firm) {
  KeptMembership kept;
  kept.id = node_id_;
  kept.node_name = config_.node.name;
  kept.founded = {founding_.placement, is_firm};
  const Status status = server::write_founding(config_.node.data_directory, kept);
  note_trouble(status);
  return status;
}

void NodeStores::note_trouble(const Status& status) {
  if (status.ok()) return;
  const MutexLock lock(trouble_lock_);
  if (last_error_ != status.message()) log_error("the store failed: {}", status.message());
  last_error_ = status.message();
}

std::string NodeStores::last_error() const {
  const MutexLock lock(trouble_lock_);
  return last_error_;
}

engine::StoreFaults NodeStores::faults() const {
  engine::StoreFaults faults = faults_at_start_;
  faults += hints_.faults_at_start();
  faults += objects_->store_health().faults();
  faults += hints_.table().store_health().faults();
  return faults;
}

bool NodeStores::close(const cluster::WholeReplicas* whole) {
  committer_.reset();  // commits and syncs
  hints_.end_commits();
  if (!store_ || !facts_) return true;
  const bool unwritten = objects_->commits().has_dirty() || hints_.table().commits().has_dirty();
  if (unwritten || objects_->store_health().failed() || hints_.table().store_health().failed()) {
    log_error("not everything could be written before the stop: {}", last_error());
    return false;
  }
  note_trouble(facts_->keep_marks());
  std::string roots;
  cluster::encode_roots(*objects_, whole, roots);
  Status status = end_session(*store_, incarnation_, clock_.reading(wall_ms()), roots);
  if (status.ok()) status = store_->close();
  note_trouble(status);
  return status.ok();
}

}  // namespace kvorum::server
