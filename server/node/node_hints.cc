// SPDX-License-Identifier: Apache-2.0
// A node's hints: their database beside that of the objects, their commits, what operators see.
#include <fmt/format.h>

#include "engine/store/leveldb_store.h"
#include "server/node/node_impl.h"
#include "server/process/logging.h"

namespace kvorum::server {
namespace {

// Hints are all in memory: the store is read at the start alone.
constexpr size_t kBlockCacheBytes = 1 << 20;
constexpr size_t kWriteBufferBytes = 4 << 20;

// Of a hint that has just come; clocks of other nodes may be ahead.
uint64_t age_ms(Hlc oldest, uint64_t now_ms) {
  return now_ms > oldest.ms() ? now_ms - oldest.ms() : 0;
}

// The row of a target; a new one where it is no member.
HintStatus& hint_row(cluster::NodeId target, NodeStatus* status) {
  for (HintStatus& row : status->hints) {
    if (row.id == target) return row;
  }
  HintStatus& row = status->hints.emplace_back();
  row.target = fmt::format("{:016x}", target);
  row.id = target;
  return row;
}

}  // namespace

Status Node::Impl::open_hint_store() {
  const std::string directory = config.node.data_directory + "/hints";
  engine::LevelDbOptions options;
  options.directory = directory;
  options.block_cache_bytes = kBlockCacheBytes;
  options.write_buffer_bytes = kWriteBufferBytes;
  options.compaction.wait_ms = [this](size_t bytes) { return compaction_wait_ms(bytes); };
  // Hints that cannot be read may be the only copies of their writes: they are kept aside. But a
  // node that does not start for them would keep its objects from everybody too.
  options.replicated = true;
  std::string salvaged;
  auto opened = engine::LevelDbStore::open_or_salvage(options, &salvaged);
  if (!opened.ok()) {
    return Status(opened.status().code(), fmt::format("cannot open the hints in {}: {}", directory,
                                                      opened.status().message()));
  }
  if (!salvaged.empty()) tell_of_hint_salvage(salvaged);
  hint_store = std::move(opened).value();
  return {};
}

void Node::Impl::tell_of_hint_salvage(const std::string& report) {
  log_error(
      "{}; hints that are missing were copies of writes on their way to other nodes: what no "
      "other copy exists of is lost",
      report);
  ++faults_at_start.damage_met;
  ++faults_at_start.salvages;
}

// Reads all of them.
Status Node::Impl::open_hints(uint64_t hash_seed) {
  Status status = read_hints(hash_seed);
  if (status.code() != Code::kCorruption && status.code() != Code::kIoError) return status;
  hints.reset();
  hint_table.reset();
  const Result<std::string> done = hint_store->salvage(status);
  if (!done.ok()) return done.status();
  tell_of_hint_salvage(done.value());
  return read_hints(hash_seed);
}

Status Node::Impl::read_hints(uint64_t hash_seed) {
  engine::TableOptions options = cluster::Hints::table_options(hash_seed);
  options.store = hint_store.get();
  options.codec = codec.get();
  hint_table = std::make_unique<engine::ObjectTable>(options);
  hints = std::make_unique<cluster::Hints>(
      hint_table.get(), &authors,
      cluster::HintOptions{view->partitioner, config.limits.hints_bytes});
  if (!hint_store) return {};
  if (Status status = hint_table->store_reader().warm(); !status.ok()) {
    return Status(status.code(), fmt::format("cannot read the hints in {}/hints: {}",
                                             config.node.data_directory, status.message()));
  }
  hints->recover();
  if (hints->pending() != 0) log_info("{} hints for other nodes were kept", hints->pending());
  if (hint_table->store_reader().damaged_count() != 0) {
    log_error("{} damaged hints were left out", hint_table->store_reader().damaged_count());
  }
  return {};
}

void Node::Impl::start_hint_commits() {
  if (!hint_store) return;
  engine::CommitterOptions options;
  options.sync = config.engine.sync;
  options.salvages = true;
  options.on_salvage = [](const std::string& report) { log_error("{}", report); };
  options.on_round = [this](engine::Ticket ticket, const Status& status) {
    for (const auto& reactor : reactors) {
      reactor->on_round(Reactor::Committed::kHints, ticket, status.ok());
    }
    // A stand-in coordinates in its hints: its dots are lost with them as those in objects are.
    if (!status.ok()) incarnation = random_number();
    note_store_trouble(status);
  };
  hint_committer =
      std::make_unique<engine::Committer>(hint_table.get(), hint_store.get(), std::move(options));
}

void Node::Impl::add_hints(NodeStatus* status) {
  const cluster::HintLedger& ledger = hints->ledger();
  status->hints_pending = ledger.count();
  status->hints_bytes = ledger.bytes();
  status->hints_max_bytes = ledger.bytes_max();
  status->hints_refused = ledger.refused();
  const uint64_t now_ms = wall_ms();
  for (MemberStatus& member : status->members) {
    if (member.self) continue;
    HintStatus& row = status->hints.emplace_back();
    row.target = member.name;
    row.id = member.id;
  }
  for (const cluster::HintTargetReport& report : ledger.report(TurnClock(0).read().steady_us)) {
    HintStatus& row = hint_row(report.target, status);
    row.count = report.count;
    row.bytes = report.bytes;
    row.oldest_ms = report.count == 0 ? 0 : age_ms(report.oldest, now_ms);
    row.delivered = report.delivered;
    row.bytes_per_second = report.bytes_per_second;
    if (row.count != 0) row.reason = cluster::hint_wait_name(report.wait);
    for (MemberStatus& member : status->members) {
      if (member.id == report.target) member.hints_pending = report.count;
    }
  }
}

}  // namespace kvorum::server
