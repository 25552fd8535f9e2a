// SPDX-License-Identifier: Apache-2.0
#include "engine/journal/journal_recovery.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "base/bytes.h"
#include "base/large_memory.h"
#include "base/planted_bug.h"

namespace kvorum::engine {
namespace {

using Change = RecoveredJournal::Change;

constexpr uint8_t kMarkVersion = 1;
constexpr size_t kPrefixBytes = sizeof(uint64_t);

// A segment that is needed, with all batches in it that make sense.
struct Found {
  Journal::Segment segment;
  std::string_view bytes;
  std::vector<SegmentReader::Batch> batches;
  uint64_t counted_before = UINT64_MAX;  // batches from this sequence on are no part of the journal
};

// Keys are sorted by their first bytes, which are mostly a position, and only where those are the
// same by the rest.
struct Sorted {
  uint64_t prefix;
  uint64_t at;
  auto operator<=>(const Sorted&) const = default;
};

uint64_t prefix_of(std::string_view key) {
  char bytes[kPrefixBytes] = {};
  std::memcpy(bytes, key.data(), std::min(key.size(), kPrefixBytes));
  uint64_t prefix;
  std::memcpy(&prefix, bytes, kPrefixBytes);
  return __builtin_bswap64(prefix);
}

// In large pages: there may be millions.
template <class T>
void reserve_large(std::vector<T>& list, size_t count) {
  list.reserve(count);
  wish_large_pages(list.data(), list.capacity() * sizeof(T));
}

constexpr size_t kAhead = 16;  // of what is looked at, fetched into the caches

// The last of each key among changes whose keys begin with the same bytes: mostly it is one key.
void take_last(const std::vector<Change>& all, std::span<Sorted> run,
               std::vector<Change>* changes) {
  const auto key_of = [&all](const Sorted& one) { return all[one.at].key; };
  const std::string_view last = key_of(run.back());
  const bool same = std::all_of(run.begin(), run.end() - 1,
                                [&](const Sorted& one) { return key_of(one) == last; });
  if (same) return changes->push_back(all[run.back().at]);
  std::sort(run.begin(), run.end(), [&](const Sorted& a, const Sorted& b) {
    const int compared = key_of(a).compare(key_of(b));
    return compared != 0 ? compared < 0 : a.at < b.at;
  });
  for (size_t i = 0; i < run.size(); ++i) {
    const bool ends = i + 1 == run.size() || key_of(run[i + 1]) != key_of(run[i]);
    if (ends) changes->push_back(all[run[i].at]);
  }
}

// The last of each key, by key.
std::vector<Change> last_by_key(const std::vector<Change>& all) {
  std::vector<Sorted> order;
  reserve_large(order, all.size());
  for (size_t at = 0; at < all.size(); ++at) order.push_back({prefix_of(all[at].key), at});
  std::sort(order.begin(), order.end());
  std::vector<Change> changes;
  reserve_large(changes, all.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && order[end].prefix == order[begin].prefix) {
      if (end + kAhead < order.size()) __builtin_prefetch(&all[order[end + kAhead].at]);
      ++end;
    }
    take_last(all, {&order[begin], end - begin}, &changes);
  }
  return changes;
}

class Recovery {
 public:
  Recovery(JournalDisk& disk, const JournalRecoveryOptions& options)
      : disk_(disk), options_(options) {}

  Result<RecoveredJournal> run(const JournalMark* mark);

 private:
  Status find_segments();
  void follow_heads();
  bool was_only_begun() const;
  void read_batches(Found& found);
  void leave_out_last();  // PlantedBug::kReplayShort
  void take_batches();
  bool passes_gap(uint64_t expected, uint64_t found);
  void take(const SegmentReader::Batch& batch);
  void note_damage(std::string text) {
    if (result_.damage.empty()) result_.damage = std::move(text);
  }

  JournalDisk& disk_;
  const JournalRecoveryOptions options_;
  JournalMark mark_;
  std::vector<Found> found_;  // by number; those that are needed
  uint64_t durable_ = 0;      // the last sequence of which somebody knew that it is on the disk
  std::vector<Change> all_;
  RecoveredJournal result_;
};

Status Recovery::find_segments() {
  const auto slots = disk_.slots();
  if (!slots.ok()) return slots.status();
  for (const uint32_t slot : slots.value()) {
    const auto head = disk_.read(slot, SegmentHead::kBytes);
    if (!head.ok()) return head.status();
    Found found;
    if (!parse_segment_head(head.value(), &found.segment.head)) continue;
    found.segment.slot = slot;
    found_.push_back(std::move(found));
  }
  std::sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) {
    return a.segment.head.number < b.segment.head.number;
  });
  return {};
}

// The store does not know its journal.
void Recovery::follow_heads() {
  mark_.store_id = options_.fresh_id;
  if (found_.empty()) return;
  const SegmentHead& last = found_.back().segment.head;
  mark_ = {last.store_id, last.oldest, false};
}

// The store is marked before the first batch is written: where there is none, the first start ended
// in between.
bool Recovery::was_only_begun() const {
  return found_.front().segment.head.number == 1 &&
         std::all_of(found_.begin(), found_.end(),
                     [](const Found& found) { return found.batches.empty(); });
}

void Recovery::read_batches(Found& found) {
  durable_ = std::max(durable_, found.segment.head.durable);
  SegmentReader reader(found.bytes, found.segment.head);
  SegmentReader::Batch batch;
  while (reader.next(&batch) || reader.skip(&batch)) {
    durable_ = std::max(durable_, batch.head.durable);
    found.batches.push_back(batch);
  }
  found.segment.used_bytes = reader.end();
}

void Recovery::leave_out_last() {
  const auto last = std::find_if(found_.rbegin(), found_.rend(),
                                 [](const Found& found) { return !found.batches.empty(); });
  if (last != found_.rend()) last->batches.pop_back();
}

// Whether batches behind a gap count.
bool Recovery::passes_gap(uint64_t expected, uint64_t found) {
  if (expected > durable_) return false;
  note_damage("batches " + std::to_string(expected) + " to " + std::to_string(found - 1) +
              " of the journal cannot be read");
  return true;
}

void Recovery::take(const SegmentReader::Batch& batch) {
  ++result_.batches;
  const bool good = for_each_change(batch, [this](const StoreBatch::Change& change) {
    all_.push_back({change.key, change.value, change.erase});
  });
  if (!good) note_damage("a batch of the journal makes no sense");
}

void Recovery::take_batches() {
  uint64_t index_bytes = 0;
  for (const Found& found : found_) {
    for (const SegmentReader::Batch& batch : found.batches) index_bytes += batch.head.index_bytes;
  }
  reserve_large(all_, index_bytes / 2);  // a put has two bytes or more
  uint64_t expected = found_.front().segment.head.first_sequence;
  bool ended = false;
  for (const Found& found : found_) {
    for (const SegmentReader::Batch& batch : found.batches) {
      const uint64_t sequence = batch.head.sequence;
      if (ended || sequence >= found.counted_before || sequence < expected) continue;
      ended = sequence != expected && !passes_gap(expected, sequence);
      if (ended) continue;
      take(batch);
      expected = sequence + 1;
    }
  }
  if (expected <= durable_) passes_gap(expected, durable_ + 1);
  result_.beginning.last_sequence = std::max(expected - 1, durable_);
}

Result<RecoveredJournal> Recovery::run(const JournalMark* mark) {
  if (Status status = find_segments(); !status.ok()) return status;
  if (mark != nullptr) {
    mark_ = *mark;
  } else {
    follow_heads();
  }
  Journal::Beginning& beginning = result_.beginning;
  beginning.store_id = mark_.store_id;
  beginning.last_number = mark_.first_needed - 1;
  std::erase_if(found_, [&](const Found& found) {
    const SegmentHead& head = found.segment.head;
    if (head.store_id != mark_.store_id) return true;
    beginning.last_number = std::max(beginning.last_number, head.number);
    return head.number < mark_.first_needed;
  });
  for (Found& found : found_) {
    const auto bytes = disk_.read(found.segment.slot, UINT64_MAX);
    if (!bytes.ok()) return bytes.status();
    found.segment.slot_bytes = bytes.value().size();
    found.bytes = bytes.value();
    read_batches(found);
  }
  const bool is_unknown = mark == nullptr && !options_.store_was_salvaged && !found_.empty();
  if (is_unknown && !was_only_begun()) note_damage("the store says nothing of its journal");
  if (planted(PlantedBug::kReplayShort)) leave_out_last();
  const bool begins = !found_.empty() && found_.front().segment.head.number == mark_.first_needed;
  if (!begins && !(found_.empty() && mark_.empty)) {
    note_damage("segment " + std::to_string(mark_.first_needed) + " of the journal is missing");
  }
  if (found_.empty()) return std::move(result_);
  uint64_t counted_before = UINT64_MAX;
  for (auto found = found_.rbegin(); found != found_.rend(); ++found) {
    found->counted_before = counted_before;
    counted_before = std::min(counted_before, found->segment.head.first_sequence);
  }
  take_batches();
  result_.changes = last_by_key(all_);
  for (const Found& found : found_) beginning.live.push_back(found.segment);
  return std::move(result_);
}

}  // namespace

std::string encode_journal_mark(const JournalMark& mark) {
  std::string bytes;
  put_u8(bytes, kMarkVersion);
  put_u64(bytes, mark.store_id);
  put_u64(bytes, mark.first_needed);
  put_u8(bytes, mark.empty ? 1 : 0);
  return bytes;
}

bool parse_journal_mark(std::string_view bytes, JournalMark* mark) {
  ByteReader reader(bytes);
  const uint8_t version = reader.u8();
  mark->store_id = reader.u64();
  mark->first_needed = reader.u64();
  const uint8_t empty = reader.u8();
  mark->empty = empty == 1;
  return reader.ok() && reader.done() && version == kMarkVersion && empty <= 1 &&
         mark->first_needed > 0 && mark->first_needed <= kJournalNumberMax;
}

Result<RecoveredJournal> recover_journal(JournalDisk& disk, const JournalMark* mark,
                                         const JournalRecoveryOptions& options) {
  return Recovery(disk, options).run(mark);
}

}  // namespace kvorum::engine
