// SPDX-License-Identifier: Apache-2.0
#include "cluster/frontier/frontier_rounds.h"

#include <algorithm>
#include <map>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"

namespace kvorum::cluster {
namespace {

constexpr size_t kReportBytes = 3 * sizeof(uint64_t);
constexpr size_t kEntryBytes = 3 * sizeof(uint64_t) + 2 * kReportBytes;

void put_report(std::string& out, const FrontierReport& report) {
  put_u64(out, report.round);
  put_u64(out, report.hash);
  put_u64(out, report.least.value);
}

FrontierReport get_report(ByteReader& reader) {
  FrontierReport report;
  report.round = reader.u64();
  report.hash = reader.u64();
  report.least.value = reader.u64();
  return report;
}

void put_entry(std::string& out, const FrontierEntry& entry) {
  put_u64(out, entry.node);
  put_u64(out, entry.run);
  put_u64(out, entry.sequence);
  put_report(out, entry.last);
  put_report(out, entry.previous);
}

FrontierEntry get_entry(ByteReader& reader) {
  FrontierEntry entry;
  entry.node = reader.u64();
  entry.run = reader.u64();
  entry.sequence = reader.u64();
  entry.last = get_report(reader);
  entry.previous = get_report(reader);
  return entry;
}

bool is_newer(const FrontierEntry& one, const FrontierEntry& other) {
  return one.sequence > other.sequence ||
         (one.sequence == other.sequence && one.last.round > other.last.round);
}

bool by_node(const FrontierEntry& entry, NodeId node) { return entry.node < node; }

}  // namespace

FrontierRounds::FrontierRounds(std::vector<NodeId> members, NodeId self, uint64_t run) {
  std::sort(members.begin(), members.end());
  for (const NodeId member : members) {
    if (member == self) self_ = entries_.size();
    entries_.emplace_back().node = member;
  }
  KVORUM_CHECK(!entries_.empty() && own().node == self);
  own().run = run;
  own().sequence = 1;
}

const FrontierEntry* FrontierRounds::find(NodeId node) const {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), node, by_node);
  return at != entries_.end() && at->node == node ? &*at : nullptr;
}

void FrontierRounds::set_members(std::vector<NodeId> members) {
  std::sort(members.begin(), members.end());
  std::vector<FrontierEntry> entries;
  const NodeId self = own().node;
  for (const NodeId member : members) {
    const FrontierEntry* const known = find(member);
    if (member == self) self_ = entries.size();
    entries.push_back(known != nullptr ? *known : FrontierEntry{});
    entries.back().node = member;
  }
  entries_ = std::move(entries);
  KVORUM_CHECK(self_ < entries_.size() && own().node == self);
}

bool FrontierRounds::merge(const FrontierEntry& entry) {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), entry.node, by_node);
  if (found == entries_.end() || found->node != entry.node) return false;
  if (&*found == &own()) {
    // An earlier run of this node, as others remember it: this one goes on from its rounds, for
    // which it cannot vouch.
    if (entry.run == own().run) return false;
    vouched_before_ = std::max({vouched_before_, entry.last.least, entry.previous.least});
    if (entry.sequence < own().sequence && entry.last.round <= own().last.round) return false;
    own().sequence = std::max(own().sequence, entry.sequence + 1);
    if (entry.last.round > own().last.round) {
      own().last = {entry.last.round, 0, Hlc{}};
      own().previous = {entry.previous.round, 0, Hlc{}};
    }
    return true;
  }
  const bool newer = is_newer(entry, *found);
  if (newer) *found = entry;
  return newer;
}

bool FrontierRounds::merge_encoded(std::string_view bytes) {
  if (bytes.size() % kEntryBytes != 0) return false;
  ByteReader reader(bytes);
  while (!reader.done()) merge(get_entry(reader));
  return true;
}

void FrontierRounds::encode(std::string& out) const {
  for (const FrontierEntry& entry : entries_) {
    if (entry.sequence != 0) put_entry(out, entry);  // else never heard of
  }
}

void FrontierRounds::encode_of(std::span<const NodeId> nodes, std::string& out) const {
  for (const NodeId node : nodes) {
    const FrontierEntry* const entry = find(node);
    if (entry != nullptr && entry->sequence != 0) put_entry(out, *entry);
  }
}

bool FrontierRounds::encode_newer(std::string_view theirs, std::string& out) const {
  if (theirs.size() % kEntryBytes != 0) return false;
  std::map<NodeId, FrontierEntry> known;
  for (ByteReader reader(theirs); !reader.done();) {
    const FrontierEntry entry = get_entry(reader);
    known[entry.node] = entry;
  }
  for (const FrontierEntry& entry : entries_) {
    if (entry.sequence == 0) continue;
    const auto found = known.find(entry.node);
    // Of another run its own node is to hear, whichever of them is the newer one.
    const bool newer =
        found == known.end() || is_newer(entry, found->second) || entry.run != found->second.run;
    if (newer) put_entry(out, entry);
  }
  return true;
}

uint64_t FrontierRounds::digest() const {
  std::string bytes;
  encode(bytes);
  return xxh64(bytes);
}

void FrontierRounds::begin_run(uint64_t run) {
  own().run = run;
  ++own().sequence;
  own().last.least = own().previous.least = Hlc{};
  own().last.hash = own().previous.hash = 0;
}

uint64_t FrontierRounds::run_of(NodeId node) const {
  const FrontierEntry* const entry = find(node);
  return entry == nullptr ? 0 : entry->run;
}

const FrontierReport* FrontierRounds::report_of(const FrontierEntry& entry, uint64_t round) {
  if (entry.last.round == round) return &entry.last;
  return entry.previous.round == round ? &entry.previous : nullptr;
}

std::optional<FrontierRounds::Ended> FrontierRounds::ended() const {
  const uint64_t round = own().last.round;
  if (round == 0) return std::nullopt;
  Ended ended{round, true, own().last.least};
  for (const FrontierEntry& entry : entries_) {
    if (entry.last.round < round) return std::nullopt;
    const FrontierReport* report = report_of(entry, round);
    // It went on without us, as it did with an earlier run of this node: nothing can be said.
    if (report == nullptr) return Ended{round, false, Hlc{}};
    ended.agreed = ended.agreed && report->hash == own().last.hash;
    ended.least = std::min(ended.least, report->least);
  }
  return ended;
}

void FrontierRounds::report(uint64_t hash, Hlc least) {
  KVORUM_CHECK(own().last.round == 0 || ended());
  own().previous = own().last;
  own().last = {own().last.round + 1, hash, least};
}

bool FrontierRounds::is_behind() const {
  return std::any_of(entries_.begin(), entries_.end(), [this](const FrontierEntry& entry) {
    return entry.last.round > own().last.round;
  });
}

std::vector<NodeId> FrontierRounds::awaited() const {
  std::vector<NodeId> nodes;
  for (const FrontierEntry& entry : entries_) {
    if (entry.last.round < own().last.round) nodes.push_back(entry.node);
  }
  return nodes;
}

}  // namespace kvorum::cluster
