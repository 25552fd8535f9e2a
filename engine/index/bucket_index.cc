// SPDX-License-Identifier: Apache-2.0
#include "engine/index/bucket_index.h"

#include <bit>

#include "base/check.h"
#include "engine/index/long_bucket.h"
#include "engine/index/slot_word.h"

namespace kvorum::engine {

BucketIndex::BucketIndex(PageSource* source, uint64_t hash_seed)
    : source_(source), hash_seed_(hash_seed) {
  levels_.push_back(std::make_unique<Level>(kSegmentLog));
  add_segment(*levels_.back(), 0);
  lower_.store(levels_.back().get(), std::memory_order_release);
}

BucketIndex::~BucketIndex() {
  for (uint64_t place = 0; place < kPlacesEnd && long_buckets_ > 0;) {
    Line* line = line_of(static_cast<uint32_t>(place));
    if (is_long(line->get(0))) leave_long(line);
    place = bucket_end(static_cast<uint32_t>(place));
  }
  for (Line* segment : segments_) source_->give_back(segment);
}

// All tags of a line are compared before one is looked at: where it matches is not predictable.
Entry* BucketIndex::find(const KeyPlace& at) const {
  const Line* line = line_of(at.place);
  if (is_long(line->get(0))) [[unlikely]] {
    return to_long(line->get(0))->find(at.place, at.key, hash_seed_);
  }
  for (;;) {
    unsigned matches = line->matches(at.tag);
    for (; matches != 0; matches &= matches - 1) {
      const uint64_t word = line->get(static_cast<size_t>(std::countr_zero(matches)));
      if (is_entry(word) && to_entry(word)->key_is(at.key)) return to_entry(word);
    }
    const uint64_t last = line->get(kSlots - 1);
    if (!is_link(last)) return nullptr;
    line = to_line<Line>(last);
  }
}

void BucketIndex::insert(const KeyPlace& at, Entry* entry) {
  KVORUM_DEBUG_CHECK(find(at) == nullptr && entry->place() == at.place);
  insert_word(line_of(at.place), entry, entry_word(entry, at.tag));
  ++size_;
  grow();
}

void BucketIndex::insert_word(Line* line, const Entry* entry, uint64_t word) {
  if (is_long(line->get(0))) return insert_long(to_long(line->get(0)), entry, word);
  Line* last = line;
  int lines = 1;
  for (; is_link(last->get(kSlots - 1)); ++lines) last = to_line<Line>(last->get(kSlots - 1));
  if (last->get(kSlots - 1) != 0) {
    KVORUM_CHECK(lines <= kLinesMax);
    if (lines == kLinesMax) {
      make_long(line);
      return insert_long(to_long(line->get(0)), entry, word);
    }
    Line* added = new_line();
    added->set(0, last->get(kSlots - 1));
    last->set(kSlots - 1, link_word(added));
    last = added;
  }
  size_t slot = 0;
  while (last->get(slot) != 0) ++slot;
  KVORUM_DEBUG_CHECK(slot < kSlots);
  last->set(slot, word);
}

std::atomic<uint64_t>* BucketIndex::find_slot(Line* line, const Entry* entry) const {
  for (;; line = to_line<Line>(line->get(kSlots - 1))) {
    for (size_t slot = 0; slot < kSlots; ++slot) {
      if (is_entry(line->get(slot)) && to_entry(line->get(slot)) == entry)
        return &line->slots[slot];
    }
    KVORUM_CHECK(is_link(line->get(kSlots - 1)));
  }
}

void BucketIndex::replace(const Entry* old, Entry* fresh) {
  KVORUM_CHECK(fresh->place() == old->place());
  Line* line = line_of(old->place());
  if (is_long(line->get(0))) {
    LongBucket* bucket = to_long(line->get(0));
    const uint64_t order = LongBucket::order_of(old->place(), old->key(), hash_seed_);
    const auto it = bucket->find_entry(old, order);
    KVORUM_CHECK(it != bucket->words.end());
    it->second = entry_word(fresh, tag_of(it->second));
    return;
  }
  std::atomic<uint64_t>* slot = find_slot(line, old);
  const uint16_t tag = tag_of(slot->load(std::memory_order_relaxed));
  slot->store(entry_word(fresh, tag), std::memory_order_relaxed);
}

void BucketIndex::erase(const Entry* entry) {
  KVORUM_CHECK(size_ > 0);
  Line* line = line_of(entry->place());
  --size_;
  if (!is_long(line->get(0))) return erase_from_lines(line, entry);
  LongBucket* bucket = to_long(line->get(0));
  const uint64_t order = LongBucket::order_of(entry->place(), entry->key(), hash_seed_);
  const auto it = bucket->find_entry(entry, order);
  KVORUM_CHECK(it != bucket->words.end());
  bucket->words.erase(it);
  memory_bytes_ -= LongBucket::kNodeBytes;
}

// The chain's last entry fills the gap, so that slots are used without gaps.
void BucketIndex::erase_from_lines(Line* first, const Entry* entry) {
  std::atomic<uint64_t>* gap = find_slot(first, entry);
  Line* before = nullptr;
  Line* last = first;
  while (is_link(last->get(kSlots - 1))) {
    before = last;
    last = to_line<Line>(last->get(kSlots - 1));
  }
  size_t end = kSlots - 1;
  while (last->get(end) == 0) --end;
  KVORUM_DEBUG_CHECK(is_entry(last->get(end)));  // a line that is linked to is never empty
  gap->store(last->get(end), std::memory_order_relaxed);
  last->set(end, 0);
  if (end > 0 || before == nullptr) return;
  before->set(kSlots - 1, 0);
  free_lines_.push_back(last);
}

void BucketIndex::insert_long(LongBucket* bucket, const Entry* entry, uint64_t word) {
  bucket->words.emplace(LongBucket::order_of(entry->place(), entry->key(), hash_seed_), word);
  memory_bytes_ += LongBucket::kNodeBytes;
}

void BucketIndex::make_long(Line* line) {
  std::array<uint64_t, kChainEntriesMax> words;
  const size_t count = take_words(line, words);
  KVORUM_CHECK(count == kChainEntriesMax);
  auto* bucket = new LongBucket;
  for (size_t i = 0; i < count; ++i) insert_long(bucket, to_entry(words[i]), words[i]);
  line->set(0, long_word(bucket));
  ++long_buckets_;
}

void BucketIndex::collect_place(uint32_t place, std::vector<Entry*>& out) const {
  const Line* line = line_of(place);
  if (is_long(line->get(0))) {
    const LongBucket::Words& words = to_long(line->get(0))->words;
    const uint64_t end = LongBucket::first_of(uint64_t{place} + 1);
    for (auto it = words.lower_bound(LongBucket::first_of(place)); it != words.end(); ++it) {
      if (place != kPlacesEnd - 1 && it->first >= end) break;
      out.push_back(to_entry(it->second));
    }
    return;
  }
  const size_t begin = out.size();
  collect_bucket(place, 0, out);
  std::erase_if(out, [&, index = size_t{0}](const Entry* entry) mutable {
    return index++ >= begin && entry->place() != place;
  });
}

void BucketIndex::collect_tagged(uint32_t place, uint16_t tag, std::vector<Entry*>& out) const {
  const Line* line = line_of(place);
  if (is_long(line->get(0))) return collect_place(place, out);
  for (;;) {
    for (unsigned matches = line->matches(tag); matches != 0; matches &= matches - 1) {
      const uint64_t word = line->get(static_cast<size_t>(std::countr_zero(matches)));
      if (is_entry(word) && to_entry(word)->place() == place) out.push_back(to_entry(word));
    }
    if (!is_link(line->get(kSlots - 1))) return;
    line = to_line<Line>(line->get(kSlots - 1));
  }
}

uint64_t BucketIndex::collect_bucket(uint32_t place, size_t count_min,
                                     std::vector<Entry*>& out) const {
  const uint64_t end = bucket_end(place);
  KVORUM_CHECK(end > place && end <= kPlacesEnd);
  const Line* line = line_of(place);
  if (is_long(line->get(0))) {
    const LongBucket::Words& words = to_long(line->get(0))->words;
    const size_t begin = out.size();
    for (auto it = words.lower_bound(LongBucket::first_of(place)); it != words.end(); ++it) {
      const uint64_t found = it->first >> 32;
      if (found >= end) break;
      const size_t shown = out.size() - begin;
      if (shown > 0 && shown >= count_min && out.back()->place() != found) return found;
      out.push_back(to_entry(it->second));
    }
    return end;
  }
  for (;;) {
    for (size_t slot = 0; slot < kSlots; ++slot) {
      const uint64_t word = line->get(slot);
      if (is_entry(word) && to_entry(word)->place() >= place) out.push_back(to_entry(word));
    }
    if (!is_link(line->get(kSlots - 1))) return end;
    line = to_line<Line>(line->get(kSlots - 1));
  }
}

const BucketIndex::Line* BucketIndex::line_of_unlocked(uint32_t place) const {
  const Level* level = lower_.load(std::memory_order_acquire);
  uint64_t bucket = place >> (32 - level->bits);
  if (bucket < split_.load(std::memory_order_relaxed)) {
    level = upper_.load(std::memory_order_acquire);
    if (level == nullptr) return nullptr;
    bucket = place >> (32 - level->bits);
  }
  return level->line(bucket);
}

void BucketIndex::prefetch_bucket(uint32_t place) const {
  const Line* line = line_of_unlocked(place);
  if (line != nullptr) __builtin_prefetch(line);
}

void BucketIndex::prefetch_entry(uint32_t place, uint16_t tag) const {
  const Line* line = line_of_unlocked(place);
  if (line == nullptr) return;
  const unsigned matches = line->matches(tag);
  if (matches == 0) return;
  const uint64_t word = line->get(static_cast<size_t>(std::countr_zero(matches)));
  if (!is_entry(word)) return;
  const char* entry = reinterpret_cast<const char*>(to_entry(word));
  __builtin_prefetch(entry);
  __builtin_prefetch(entry + 64);
  __builtin_prefetch(entry + 128);
}

}  // namespace kvorum::engine
