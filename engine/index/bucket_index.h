// SPDX-License-Identifier: Apache-2.0
// Finds the entries of one partition by key and lists them in ring-position order. Used by
// PartitionTable under its lock; only the prefetch functions may run beside an update.
//
//   place (32 bits: the position's bits after the partition's) --first bits--> bucket
//   bucket = a cache line of 8 slots (slot_word.h), the last of which may lead to another line
//
// Buckets stand in place order. The index grows by one bucket at a time: bucket s of the lower
// level becomes buckets 2s and 2s+1 of the upper one, so no operation pays for a rehash and the
// load is always the same. Levels are arrays of segments of 2 KiB.
//
// Positions are not keyed, so an adversary can aim many keys at one bucket. Past kLinesMax lines a
// bucket becomes a LongBucket: a tree by (place, seeded hash of the key). Its entries do not count
// for growth. When it is split, both halves share the tree unless few entries are left to move.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "engine/index/entry.h"
#include "engine/index/page_source.h"
#include "engine/index/slot_word.h"

namespace kvorum::engine {

struct LongBucket;

// Where a key belongs in its partition.
struct KeyPlace {
  std::string_view key;
  uint32_t place = 0;
  uint16_t tag = 0;
};

class BucketIndex {
 public:
  static constexpr uint64_t kPlacesEnd = uint64_t{1} << 32;
  static constexpr size_t kSegmentBytes = 2048;

  // The source gives pages of kSegmentBytes and outlives the index.
  BucketIndex(PageSource* source, uint64_t hash_seed);
  ~BucketIndex();  // the entries are the caller's
  BucketIndex(const BucketIndex&) = delete;
  BucketIndex& operator=(const BucketIndex&) = delete;

  Entry* find(const KeyPlace& at) const;
  void insert(const KeyPlace& at, Entry* entry);
  // The entry moved in memory; `old` can be read still.
  void replace(const Entry* old, Entry* fresh);
  void erase(const Entry* entry);

  // Appends the entries whose place is exactly this one.
  void collect_place(uint32_t place, std::vector<Entry*>& out) const;
  // Those of them that have this tag too: looks at no other entry.
  void collect_tagged(uint32_t place, uint16_t tag, std::vector<Entry*>& out) const;
  // Appends the entries from this place on to the end of its bucket (of a long bucket, at least
  // count_min and never a part of those with an equal place), in no order. Returns the first place
  // not looked at, kPlacesEnd after the last bucket.
  uint64_t collect_bucket(uint32_t place, size_t count_min, std::vector<Entry*>& out) const;

  // Any thread at any time: they use what they see, which may be out of date, for a hint only.
  void prefetch_bucket(uint32_t place) const;
  void prefetch_entry(uint32_t place, uint16_t tag) const;

  size_t size() const { return size_; }
  size_t memory_bytes() const { return memory_bytes_; }
  size_t bucket_count() const;
  size_t long_bucket_count() const { return long_buckets_; }

 private:
  static constexpr size_t kSlots = kWordsInLine;
  static constexpr int kSegmentLog = 5;  // lines per segment
  static constexpr int kBitsMax = 28;
  static constexpr size_t kLoad = 5;  // entries per bucket
  static constexpr int kLinesMax = 4;
  static constexpr size_t kChainEntriesMax = kLinesMax * (kSlots - 1) + 1;
  static constexpr size_t kDissolveMax = 24;  // a long bucket with no more goes back to lines

  // Written under the lock, yet atomic (relaxed): prefetch_entry() may look at the same time.
  struct alignas(64) Line {
    LineWords slots{};
    uint64_t get(size_t slot) const { return slots[slot].load(std::memory_order_relaxed); }
    void set(size_t slot, uint64_t word) { slots[slot].store(word, std::memory_order_relaxed); }
    // One bit for each slot whose tag is this one.
    unsigned matches(uint16_t tag) const { return tags_equal(slots, tag); }
  };
  static_assert(sizeof(Line) << kSegmentLog == kSegmentBytes);
  struct Level {
    explicit Level(int bits_of_level);
    Line* line(uint64_t bucket) const {
      Line* segment = segments[bucket >> kSegmentLog].load(std::memory_order_acquire);
      return segment == nullptr ? nullptr : segment + (bucket & ((1 << kSegmentLog) - 1));
    }
    uint64_t width() const { return kPlacesEnd >> bits; }  // of a bucket, in places
    int bits;
    std::vector<std::atomic<Line*>> segments;
  };

  const Line* line_of_unlocked(uint32_t place) const;
  // Of the lock's holder.
  const Level& level_of(uint32_t place) const {
    const Level* lower = lower_.load(std::memory_order_relaxed);
    const uint64_t bucket = place >> (32 - lower->bits);
    if (bucket >= split_.load(std::memory_order_relaxed)) return *lower;
    return *upper_.load(std::memory_order_relaxed);
  }
  Line* line_of(uint32_t place) const {
    const Level& level = level_of(place);
    return level.line(place >> (32 - level.bits));
  }
  uint64_t bucket_end(uint32_t place) const;
  void insert_word(Line* line, const Entry* entry, uint64_t word);
  void erase_from_lines(Line* first, const Entry* entry);
  void insert_long(LongBucket* bucket, const Entry* entry, uint64_t word);
  void make_long(Line* line);
  std::atomic<uint64_t>* find_slot(Line* line, const Entry* entry) const;

  // bucket_index_growth.cc
  void grow();
  void split_one();
  void split_long(Line* source, Line* left, Line* right);
  size_t take_words(Line* line, std::array<uint64_t, kChainEntriesMax>& words);
  void leave_long(Line* line);
  void add_segment(Level& level, uint64_t bucket);
  Line* new_segment();
  Line* new_line();

  PageSource* const source_;
  const uint64_t hash_seed_;
  std::atomic<Level*> lower_{nullptr};
  std::atomic<Level*> upper_{nullptr};
  std::atomic<uint64_t> split_{0};  // buckets of the lower level before this one have moved
  size_t size_ = 0;
  size_t long_buckets_ = 0;
  size_t memory_bytes_ = 0;
  // Levels and segments stay allocated while the index lives, for the prefetches that may be on
  // them: a level is small, and segments are used again by the next one.
  std::vector<std::unique_ptr<Level>> levels_;
  std::vector<Line*> segments_;
  std::vector<Line*> free_segments_;
  std::vector<Line*> free_lines_;
};

}  // namespace kvorum::engine
