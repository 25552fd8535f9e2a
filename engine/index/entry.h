// SPDX-License-Identifier: Apache-2.0
// One object in memory: a 12-byte head, the key, the record, and a deadline if it has one, in one
// allocation whose size is a class of entry_pool.h (so the size needs no field of its own).
//
//   | place 4 | record length 4 | key length and flags 4 | key | record | deadline 8, if flagged |
//
// The body of a large record stands apart: in its place is a pointer to a share of it, and to the
// file where it is too, if there is one. drop_body() gives the share back.
//
// Owned by its PartitionTable and touched only under that table's lock.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "engine/index/record_view.h"
#include "engine/store/file_reference.h"

namespace kvorum::engine {

struct BodyApart {
  static constexpr size_t kPointerBytes = sizeof(void*);

  SharedView view;
  FileReference file;
};

class Entry {
 public:
  enum Flag : uint32_t {
    kLive = 1u << 17,        // a client sees a value here
    kAbsent = 1u << 18,      // a mark that there is no object: erased, or not found in the store
    kDirty = 1u << 19,       // differs from the store and stands in a dirty list
    kDirtyOdd = 1u << 20,    // ... the odd one of the two dirty lists
    kApart = 1u << 21,       // the record's body stands apart
    kDeadline = 1u << 22,    // has a deadline, and the expiry heap an item for it
    kWriting = 1u << 23,     // was encoded into the batch of batch_number()
    kReferenced = 1u << 27,  // used since the eviction hand came by; a bit of use_count()
    kStored = 1u << 30,      // with a journal: the store beneath may have the object, too
  };
  static constexpr uint32_t kBatchNumbers = 8;   // bits 24 to 26, with a store
  static constexpr uint32_t kJournalEpochs = 4;  // bits 28 and 29, with a journal

  static size_t bytes_for(size_t key_bytes, size_t record_bytes, bool deadline) {
    return sizeof(Entry) + key_bytes + record_bytes + (deadline ? sizeof(uint64_t) : 0);
  }

  // Sets the head and the key; the record is empty.
  void begin(uint32_t place, std::string_view key) {
    KVORUM_CHECK(key.size() <= kKeyMask);
    place_ = place;
    record_bytes_ = 0;
    key_bytes_and_flags_ = static_cast<uint32_t>(key.size());
    std::memcpy(bytes(), key.data(), key.size());
  }
  // `body` may be a part of this entry's own record, `head` may not. The record before is in one
  // piece.
  void set_record(std::string_view head, std::string_view body, uint64_t deadline_ms) {
    KVORUM_CHECK(head.size() + body.size() <= UINT32_MAX && !has(kApart));
    char* record = bytes() + key_bytes();
    if (!body.empty()) std::memmove(record + head.size(), body.data(), body.size());
    if (!head.empty()) std::memcpy(record, head.data(), head.size());
    record_bytes_ = static_cast<uint32_t>(head.size() + body.size());
    set(kDeadline, deadline_ms != 0);
    if (deadline_ms != 0) std::memcpy(record + record_bytes_, &deadline_ms, sizeof(deadline_ms));
  }

  // The same with a body that stands apart; bytes_for() with a pointer in its place.
  void set_record_apart(std::string_view head, BodyApart* body, uint64_t deadline_ms) {
    char pointer[BodyApart::kPointerBytes];
    std::memcpy(pointer, &body, sizeof pointer);
    set_record(head, {pointer, sizeof pointer}, deadline_ms);
    set(kApart);
  }
  void drop_body() {
    if (!has(kApart)) return;
    delete body_apart();
    set(kApart, false);
  }
  // Of the body, where it stands apart.
  size_t bytes_apart() const { return has(kApart) ? body_apart()->view.bytes.size() : 0; }
  FileReference file() const { return has(kApart) ? body_apart()->file : FileReference{}; }

  uint32_t place() const { return place_; }
  std::string_view key() const { return {bytes(), key_bytes()}; }
  // Most keys are short: eight bytes at a time beats a call.
  bool key_is(std::string_view wanted) const {
    if (key_bytes() != wanted.size()) return false;
    const char* own = bytes();
    const char* other = wanted.data();
    size_t left = wanted.size();
    for (; left >= sizeof(uint64_t); left -= sizeof(uint64_t)) {
      uint64_t a, b;
      std::memcpy(&a, own, sizeof(a));
      std::memcpy(&b, other, sizeof(b));
      if (a != b) return false;
      own += sizeof(a);
      other += sizeof(b);
    }
    for (; left > 0; --left) {
      if (*own++ != *other++) return false;
    }
    return true;
  }
  RecordView record() const {
    if (has(kAbsent)) return {};
    const char* const record = bytes() + key_bytes();
    if (has(kApart)) [[unlikely]]
      return {{record, record_bytes_ - BodyApart::kPointerBytes}, &body_apart()->view};
    return {{record, record_bytes_}};
  }
  uint64_t deadline_ms() const {
    uint64_t deadline = 0;
    if (has(kDeadline)) {
      std::memcpy(&deadline, bytes() + key_bytes() + record_bytes_, sizeof(deadline));
    }
    return deadline;
  }
  size_t size() const { return bytes_for(key_bytes(), record_bytes_, has(kDeadline)); }

  bool has(Flag flag) const { return (key_bytes_and_flags_ & flag) != 0; }
  void set(Flag flag, bool on = true) {
    key_bytes_and_flags_ = on ? key_bytes_and_flags_ | flag : key_bytes_and_flags_ & ~flag;
  }
  void copy_flags(const Entry& other) {
    key_bytes_and_flags_ = key_bytes() | (other.key_bytes_and_flags_ & ~(kKeyMask | kApart));
  }
  uint32_t batch_number() const {
    return key_bytes_and_flags_ >> kBatchShift & (kBatchNumbers - 1);
  }
  void set_writing(uint32_t batch_number) {
    KVORUM_CHECK(batch_number < kBatchNumbers);
    key_bytes_and_flags_ &= ~((kBatchNumbers - 1) << kBatchShift);
    key_bytes_and_flags_ |= kWriting | batch_number << kBatchShift;
  }
  // In which epoch the object was journaled (journal_epochs.h); 0: its state is the store's.
  uint8_t journal_epoch() const {
    return key_bytes_and_flags_ >> kEpochShift & (kJournalEpochs - 1);
  }
  void set_journal_epoch(uint8_t epoch) {
    KVORUM_CHECK(epoch < kJournalEpochs);
    key_bytes_and_flags_ &= ~((kJournalEpochs - 1) << kEpochShift);
    key_bytes_and_flags_ |= uint32_t{epoch} << kEpochShift;
  }
  // Of UseCounters, which only a table without a store has: the eight highest bits.
  uint8_t use_count() const { return static_cast<uint8_t>(key_bytes_and_flags_ >> kUseShift); }
  void set_use_count(uint8_t count) {
    key_bytes_and_flags_ &= (1u << kUseShift) - 1;
    key_bytes_and_flags_ |= uint32_t{count} << kUseShift;
  }

 private:
  static constexpr uint32_t kKeyMask = (1u << 17) - 1;
  static constexpr uint32_t kBatchShift = 24;
  static constexpr uint32_t kEpochShift = 28;
  static constexpr uint32_t kUseShift = 24;

  BodyApart* body_apart() const {
    KVORUM_CHECK(has(kApart) && record_bytes_ >= BodyApart::kPointerBytes);
    BodyApart* body;
    constexpr size_t kSize = BodyApart::kPointerBytes;
    std::memcpy(&body, bytes() + key_bytes() + record_bytes_ - kSize, kSize);
    return body;
  }
  uint32_t key_bytes() const { return key_bytes_and_flags_ & kKeyMask; }
  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }

  uint32_t place_;
  uint32_t record_bytes_;
  uint32_t key_bytes_and_flags_;
};
static_assert(sizeof(Entry) == 12);

}  // namespace kvorum::engine
