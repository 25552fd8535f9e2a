// SPDX-License-Identifier: Apache-2.0
// How a BucketIndex finds its lines and grows by one bucket at a time.
#include <new>

#include "base/check.h"
#include "engine/index/bucket_index.h"
#include "engine/index/long_bucket.h"
#include "engine/index/slot_word.h"

namespace kvorum::engine {

BucketIndex::Level::Level(int bits_of_level)
    : bits(bits_of_level), segments(size_t{1} << (bits_of_level - kSegmentLog)) {
  KVORUM_CHECK(bits >= kSegmentLog && bits <= kBitsMax);
}

uint64_t BucketIndex::bucket_end(uint32_t place) const {
  const uint64_t width = level_of(place).width();
  return (place / width + 1) * width;
}

size_t BucketIndex::bucket_count() const {
  return (size_t{1} << lower_.load(std::memory_order_relaxed)->bits) +
         split_.load(std::memory_order_relaxed);
}

// Entries of long buckets count too: keys that arrive in ring order (a store being read at start)
// make one long bucket after the other, which dissolve as the index grows to its size. Keys aimed
// at one place cannot make it grow by more than as many others would.
void BucketIndex::grow() {
  if (size_ > kLoad * bucket_count() && lower_.load()->bits < kBitsMax) split_one();
}

void BucketIndex::split_one() {
  Level* lower = lower_.load(std::memory_order_relaxed);
  Level* upper = upper_.load(std::memory_order_relaxed);
  if (upper == nullptr) {
    levels_.push_back(std::make_unique<Level>(lower->bits + 1));
    upper = levels_.back().get();
    memory_bytes_ += upper->segments.size() * sizeof(Line*);
    upper_.store(upper, std::memory_order_release);
  }
  const uint64_t source_bucket = split_.load(std::memory_order_relaxed);
  KVORUM_CHECK(source_bucket < uint64_t{1} << lower->bits && upper->bits == lower->bits + 1);
  Line* source = lower->line(source_bucket);
  add_segment(*upper, source_bucket * 2);
  Line* left = upper->line(source_bucket * 2);
  Line* right = upper->line(source_bucket * 2 + 1);
  KVORUM_DEBUG_CHECK(left->get(0) == 0 && right->get(0) == 0);
  if (is_long(source->get(0))) {
    split_long(source, left, right);
  } else {
    std::array<uint64_t, kChainEntriesMax> words;
    const size_t count = take_words(source, words);
    for (size_t i = 0; i < count; ++i) __builtin_prefetch(to_entry(words[i]));
    for (size_t i = 0; i < count; ++i) {
      const Entry* entry = to_entry(words[i]);
      const bool odd = (entry->place() >> (32 - upper->bits) & 1) != 0;
      insert_word(odd ? right : left, entry, words[i]);
    }
  }
  const uint64_t moved = source_bucket + 1;
  if (moved % (1 << kSegmentLog) == 0) {
    free_segments_.push_back(lower->line(source_bucket & ~uint64_t{(1 << kSegmentLog) - 1}));
  }
  if (moved < uint64_t{1} << lower->bits) {
    split_.store(moved, std::memory_order_relaxed);
  } else {
    lower_.store(upper, std::memory_order_release);
    split_.store(0, std::memory_order_relaxed);
    upper_.store(nullptr, std::memory_order_relaxed);
  }
}

void BucketIndex::split_long(Line* source, Line* left, Line* right) {
  LongBucket* bucket = to_long(source->get(0));
  const Level* lower = lower_.load(std::memory_order_relaxed);
  const uint64_t first = split_.load(std::memory_order_relaxed) * lower->width();
  const uint64_t end = first + lower->width();
  const auto begin = bucket->words.lower_bound(LongBucket::first_of(first));
  auto last = begin;
  size_t count = 0;
  for (; last != bucket->words.end() && last->first >> 32 < end && count <= kDissolveMax; ++count) {
    ++last;
  }
  if (count > kDissolveMax) {
    left->set(0, source->get(0));
    right->set(0, source->get(0));
    source->set(0, 0);
    ++bucket->buckets;
    ++long_buckets_;
    return;
  }
  for (auto it = begin; it != last; ++it) {
    const Entry* entry = to_entry(it->second);
    insert_word(entry->place() >= first + lower->width() / 2 ? right : left, entry, it->second);
  }
  bucket->words.erase(begin, last);
  KVORUM_CHECK(memory_bytes_ >= count * LongBucket::kNodeBytes);
  memory_bytes_ -= count * LongBucket::kNodeBytes;
  leave_long(source);
}

// Empties a bucket of lines and gives back all but the first.
size_t BucketIndex::take_words(Line* line, std::array<uint64_t, kChainEntriesMax>& words) {
  size_t count = 0;
  for (Line* next = line; line != nullptr; line = next) {
    next = nullptr;
    for (size_t slot = 0; slot < kSlots; ++slot) {
      const uint64_t word = line->get(slot);
      if (is_link(word)) {
        next = to_line<Line>(word);
      } else if (word != 0) {
        KVORUM_CHECK(count < words.size());
        words[count++] = word;
      }
      line->set(slot, 0);
    }
    if (next != nullptr) free_lines_.push_back(next);
  }
  return count;
}

void BucketIndex::leave_long(Line* line) {
  LongBucket* bucket = to_long(line->get(0));
  KVORUM_CHECK(long_buckets_ > 0 && bucket->buckets > 0);
  line->set(0, 0);
  --long_buckets_;
  if (--bucket->buckets == 0) delete bucket;
}

void BucketIndex::add_segment(Level& level, uint64_t bucket) {
  KVORUM_CHECK(bucket >> kSegmentLog < level.segments.size());
  std::atomic<Line*>& segment = level.segments[bucket >> kSegmentLog];
  if (segment.load(std::memory_order_relaxed) != nullptr) return;
  Line* lines = nullptr;
  if (free_segments_.empty()) {
    lines = new_segment();
  } else {
    lines = free_segments_.back();
    free_segments_.pop_back();
  }
  segment.store(lines, std::memory_order_release);
}

BucketIndex::Line* BucketIndex::new_segment() {
  Line* lines = static_cast<Line*>(source_->take());
  for (size_t i = 0; i < size_t{1} << kSegmentLog; ++i) new (lines + i) Line;
  segments_.push_back(lines);
  memory_bytes_ += kSegmentBytes;
  return lines;
}

BucketIndex::Line* BucketIndex::new_line() {
  if (free_lines_.empty()) {
    Line* lines = new_segment();
    for (size_t i = 0; i < size_t{1} << kSegmentLog; ++i) free_lines_.push_back(lines + i);
  }
  Line* line = free_lines_.back();
  free_lines_.pop_back();
  KVORUM_DEBUG_CHECK(line->get(0) == 0 && line->get(kSlots - 1) == 0);
  return line;
}

}  // namespace kvorum::engine
