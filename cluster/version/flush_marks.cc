// SPDX-License-Identifier: Apache-2.0
#include "cluster/version/flush_marks.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/atomic_raise.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"

namespace kvorum::cluster {
namespace {

constexpr size_t kEntryBytes = 24;

Hlc highest_in(const FlushMark& mark) {
  Hlc highest;
  for (const FlushMarkEntry& entry : mark) highest = std::max(highest, entry.hlc);
  return highest;
}

struct EncodedMark {
  KeyspaceMask keyspaces = 0;
  FlushMark mark;
};

bool decode_marks(std::string_view bytes, std::vector<EncodedMark>& marks) {
  ByteReader reader(bytes);
  while (!reader.done()) {
    EncodedMark& encoded = marks.emplace_back();
    encoded.keyspaces = reader.u16();
    const uint64_t entries = reader.varint();
    if (!reader.ok() || encoded.keyspaces == 0) return false;
    if (entries > reader.rest().size() / kEntryBytes) return false;
    encoded.mark.resize(entries);
    for (FlushMarkEntry& entry : encoded.mark) {
      entry.node = reader.u64();
      entry.incarnation = reader.u64();
      entry.hlc.value = reader.u64();
      if (entry.node == 0 || entry.hlc.value == 0) return false;
    }
  }
  return reader.ok();
}

}  // namespace

// Open addressing, at most half full, entries never removed. A slot is free while its HLC is zero;
// its names are written before its HLC is published and never again.
class FlushMarks::Table {
 public:
  explicit Table(size_t capacity) : mask_(capacity - 1), slots_(new Slot[capacity]) {
    KVORUM_CHECK(capacity > 0 && (capacity & mask_) == 0);
  }

  bool covers(const Actor& actor, Hlc hlc) const {
    return at(actor.node, actor.incarnation) >= hlc.value;
  }
  uint64_t at(uint64_t node, uint64_t incarnation) const { return find(node, incarnation).second; }

  // Writers only. False where there is no room for a new author.
  bool set(const FlushMarkEntry& entry, uint64_t epoch) {
    KVORUM_CHECK(entry.hlc.value != 0);  // else the slot counts as free
    const auto [at, hlc] = find(entry.node, entry.incarnation);
    Slot& slot = slots_[at];
    if (hlc == 0) {
      if (2 * (used_ + 1) > mask_ + 1) return false;
      ++used_;
      slot.node = entry.node;
      slot.incarnation = entry.incarnation;
    }
    slot.epoch = epoch;
    slot.hlc.store(std::max(hlc, entry.hlc.value), std::memory_order_release);
    return true;
  }
  // Writers only: the author has at least this entry, in this epoch.
  bool holds(const FlushMarkEntry& entry, uint64_t epoch) const {
    const auto [at, hlc] = find(entry.node, entry.incarnation);
    return hlc >= entry.hlc.value && slots_[at].epoch == epoch;
  }

  size_t capacity() const { return mask_ + 1; }
  // Writers only.
  template <class Fn>
  void for_each(Fn fn) const {
    for (size_t at = 0; at <= mask_; ++at) {
      const Slot& slot = slots_[at];
      const uint64_t hlc = slot.hlc.load(std::memory_order_acquire);
      if (hlc != 0) fn(FlushMarkEntry{slot.node, slot.incarnation, Hlc{hlc}}, slot.epoch);
    }
  }

 private:
  struct Slot {
    uint64_t node = 0;
    uint64_t incarnation = 0;
    uint64_t epoch = 0;  // of writers
    std::atomic<uint64_t> hlc{0};
  };

  // The author's slot and HLC, or the free slot where it would stand and zero. One load decides:
  // a free slot may become another author's at any time.
  std::pair<size_t, uint64_t> find(uint64_t node, uint64_t incarnation) const {
    const uint64_t hash = (node ^ (incarnation << 1)) * 0x9e3779b97f4a7c15ULL;
    for (size_t at = (hash >> 32) & mask_;; at = (at + 1) & mask_) {
      const Slot& slot = slots_[at];
      const uint64_t hlc = slot.hlc.load(std::memory_order_acquire);
      if (hlc == 0) return {at, 0};
      if (slot.node == node && slot.incarnation == incarnation) return {at, hlc};
    }
  }

  const size_t mask_;
  size_t used_ = 0;
  std::unique_ptr<Slot[]> slots_;
};

FlushMarks::FlushMarks() = default;
FlushMarks::~FlushMarks() = default;

bool FlushMarks::apply(uint8_t keyspace, Object& object) const {
  KVORUM_CHECK(keyspace < kKeyspacesMax);
  const Table* table = tables_[keyspace].load(std::memory_order_acquire);
  if (!table || object.empty()) return false;
  const bool whole = std::all_of(
      object.vector.begin(), object.vector.end(),
      [table](const VectorEntry& entry) { return table->covers(entry.actor, entry.hlc); });
  if (whole) {
    object = {};
    return true;
  }
  const size_t before = object.versions.size() + object.outvoted.size();
  const auto drop_covered = [table](InlineVector<Version, 1>& versions) {
    for (size_t at = versions.size(); at-- > 0;) {
      const Version& version = versions[at];
      if (version.type == TypeTag::kTombstone) continue;
      if (table->covers(version.dot.actor, version.dot.hlc)) versions.erase_at(at);
    }
  };
  drop_covered(object.versions);
  drop_covered(object.outvoted);
  const size_t left = object.versions.size() + object.outvoted.size();
  show_outvoted(object);
  return left != before;
}

bool FlushMarks::raise(uint8_t keyspace, const FlushMarkEntry& entry) {
  constexpr size_t kFirstCapacity = 8;
  if (entry.hlc.value == 0) return false;
  Table*& table = latest_[keyspace];
  const uint64_t epoch = epochs_[keyspace];
  const bool published = tables_[keyspace].load(std::memory_order_relaxed) != nullptr;
  if (published && table->holds(entry, epoch)) return false;
  if (table == nullptr || !table->set(entry, epoch)) {
    auto grown = std::make_unique<Table>(table ? 2 * table->capacity() : kFirstCapacity);
    const auto copy = [&](const FlushMarkEntry& old, uint64_t its) {
      KVORUM_CHECK(grown->set(old, its));  // of twice the room: a mark loses no author
    };
    if (table) table->for_each(copy);
    KVORUM_CHECK(grown->set(entry, epoch));
    table = grown.get();
    owned_.push_back(std::move(grown));
  }
  tables_[keyspace].store(table, std::memory_order_release);
  return true;
}

void FlushMarks::raised(KeyspaceMask keyspaces) {
  const uint64_t generation = generation_.load(std::memory_order_relaxed) + 1;
  generation_.store(generation, std::memory_order_release);
  last_raise_.store(generation, std::memory_order_release);
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    if (keyspaces >> keyspace & 1) raised_[keyspace].store(generation, std::memory_order_release);
  }
}

bool FlushMarks::merge(uint8_t keyspace, const FlushMark& mark) {
  KVORUM_CHECK(keyspace < kKeyspacesMax);
  const MutexLock guard(lock_);
  if (highest_in(mark) < forgotten_below_) return false;
  bool any_raised = false;
  for (const FlushMarkEntry& entry : mark) any_raised |= raise(keyspace, entry);
  if (any_raised) raised(mask_of(keyspace));
  return any_raised;
}

void FlushMarks::flush(KeyspaceMask keyspaces, FlushMark& mark, FunctionRef<FlushMarkEntry()> own) {
  const MutexLock guard(lock_);
  KVORUM_CHECK(keyspaces != 0);
  mark.push_back(own());
  KVORUM_CHECK(mark.back().node != 0 && mark.back().hlc != Hlc{});  // else nobody takes it
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    if (!(keyspaces >> keyspace & 1)) continue;
    for (const FlushMarkEntry& entry : mark) raise(keyspace, entry);
  }
  raised(keyspaces);
}

// Where nothing of a keyspace's mark reaches the frontier its epoch ends; once what it covers is
// gone from the disk there is nothing left to cover. Returns whether that changes what the store
// should hold.
bool FlushMarks::forget(uint8_t keyspace) {
  const FlushMark remembered = entries(keyspace, Which::kRemembered);
  const bool ends = !remembered.empty() && highest_in(remembered) < forgotten_below_;
  if (ends) ++epochs_[keyspace];
  const bool in_use = !ends && !remembered.empty();
  if (in_use || !any(keyspace) || settled_[keyspace] < raised_[keyspace]) return ends;
  tables_[keyspace].store(nullptr, std::memory_order_release);
  return true;
}

void FlushMarks::forget_below(Hlc frontier) {
  const MutexLock guard(lock_);
  forgotten_below_ = std::max(forgotten_below_, frontier);
  bool changed = false;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    if (any(keyspace)) changed |= forget(keyspace);
  }
  if (changed) generation_.fetch_add(1, std::memory_order_release);
}

Hlc FlushMarks::forgotten_below() const {
  const MutexLock guard(lock_);
  return forgotten_below_;
}

FlushMark FlushMarks::entries(uint8_t keyspace, Which which) const {
  FlushMark mark;
  if (!any(keyspace)) return mark;
  KVORUM_CHECK(latest_[keyspace] != nullptr);  // what is published was taken from there
  const uint64_t present = epochs_[keyspace];
  latest_[keyspace]->for_each([&](const FlushMarkEntry& entry, uint64_t epoch) {
    if (which == Which::kAll || epoch == present) mark.push_back(entry);
  });
  std::sort(mark.begin(), mark.end(), [](const FlushMarkEntry& a, const FlushMarkEntry& b) {
    return std::tie(a.node, a.incarnation) < std::tie(b.node, b.incarnation);
  });
  return mark;
}

FlushMark FlushMarks::mark(uint8_t keyspace) const {
  const MutexLock guard(lock_);
  return entries(keyspace, Which::kRemembered);
}

void encode_mark(KeyspaceMask keyspaces, const FlushMark& mark, std::string& out) {
  put_u16(out, keyspaces);
  put_varint(out, mark.size());
  for (const FlushMarkEntry& entry : mark) {
    put_u64(out, entry.node);
    put_u64(out, entry.incarnation);
    put_u64(out, entry.hlc.value);
  }
}

void FlushMarks::encode(std::string& out) const { encode(Which::kRemembered, out); }

void FlushMarks::encode_all(std::string& out) const { encode(Which::kAll, out); }

void FlushMarks::encode(Which which, std::string& out) const {
  const MutexLock guard(lock_);
  // FLUSHALL gives all keyspaces one mark: each different one is written once.
  std::vector<EncodedMark> marks;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    const KeyspaceMask bit = mask_of(keyspace);
    FlushMark mine = entries(keyspace, which);
    if (mine.empty()) continue;
    const auto same = std::find_if(marks.begin(), marks.end(), [&mine](const EncodedMark& other) {
      return other.mark == mine;
    });
    if (same != marks.end()) {
      same->keyspaces = static_cast<KeyspaceMask>(same->keyspaces | bit);
    } else {
      marks.push_back({bit, std::move(mine)});
    }
  }
  for (const EncodedMark& encoded : marks) encode_mark(encoded.keyspaces, encoded.mark, out);
}

bool FlushMarks::merge_encoded(std::string_view bytes, FlushMarkEntry* own) {
  std::vector<EncodedMark> marks;
  if (!decode_marks(bytes, marks)) return false;
  for (const EncodedMark& encoded : marks) {
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      if (encoded.keyspaces >> keyspace & 1) merge(keyspace, encoded.mark);
    }
    for (const FlushMarkEntry& entry : encoded.mark) {
      if (!own || entry.node != own->node || entry.incarnation != own->incarnation) continue;
      own->hlc = std::max(own->hlc, entry.hlc);
    }
  }
  return true;
}

uint64_t FlushMarks::digest() const {
  std::string bytes;
  encode(bytes);
  return xxh64(bytes);
}

Hlc FlushMarks::highest_of(uint64_t node, uint64_t incarnation) const {
  uint64_t highest = 0;
  for (const std::atomic<Table*>& published : tables_) {
    const Table* table = published.load(std::memory_order_acquire);
    if (table) highest = std::max(highest, table->at(node, incarnation));
  }
  return Hlc{highest};
}

void FlushMarks::set_stored(uint64_t generation) {
  KVORUM_CHECK(generation <= this->generation());
  raise_to(stored_, generation, std::memory_order_acq_rel);
}

std::optional<uint64_t> FlushMarks::claim_sweep(uint8_t keyspace) {
  KVORUM_CHECK(keyspace < kKeyspacesMax);
  const uint64_t raised = raised_[keyspace].load(std::memory_order_acquire);
  uint64_t claimed = claimed_[keyspace].load(std::memory_order_relaxed);
  while (claimed < raised) {
    if (claimed_[keyspace].compare_exchange_weak(claimed, raised, std::memory_order_acq_rel)) {
      return raised;
    }
  }
  return std::nullopt;
}

void FlushMarks::finish_sweep(uint8_t keyspace, uint64_t claimed) {
  KVORUM_CHECK(claimed <= claimed_[keyspace].load(std::memory_order_acquire));
  raise_to(swept_[keyspace], claimed, std::memory_order_acq_rel);
}

void FlushMarks::settle_sweep(uint8_t keyspace, uint64_t claimed) {
  KVORUM_CHECK(claimed <= swept_[keyspace].load(std::memory_order_acquire));
  raise_to(settled_[keyspace], claimed, std::memory_order_acq_rel);
}

bool FlushMarks::swept(uint8_t keyspace) const {
  KVORUM_CHECK(keyspace < kKeyspacesMax);
  return swept_[keyspace].load(std::memory_order_acquire) >=
         raised_[keyspace].load(std::memory_order_acquire);
}

}  // namespace kvorum::cluster
