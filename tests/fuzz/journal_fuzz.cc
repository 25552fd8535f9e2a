// SPDX-License-Identifier: Apache-2.0
// A journal as a disk may give it back. The first byte chooses: any bytes as the store's mark, as a
// segment's head and as the changes of a batch; slots of any bytes, whose checksums are made to
// hold; or a journal that the input has written, one byte of which is changed, or from which a
// power cut takes sectors (tests/fuzz/journal_story.h).
#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"
#include "engine/journal/journal_format.h"
#include "engine/journal/journal_recovery.h"
#include "tests/engine/memory_journal_disk.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/journal_story.h"

namespace kvorum::fuzz {
namespace {

using namespace kvorum::engine;  // NOLINT: half of it is under test here
using engine::testing::JournalMedium;
using engine::testing::MemoryJournalDisk;

constexpr uint64_t kCapacity = 8 * 1024;
constexpr uint64_t kId = 5;

bool is_within(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_mark(std::string_view bytes) {
  JournalMark mark;
  if (!parse_journal_mark(bytes, &mark)) return;
  KVORUM_CHECK(encode_journal_mark(mark) == bytes);
}

// What a head says comes back from its bytes, and what follows it is read to its end at most.
void check_segment(std::string_view bytes) {
  SegmentHead head;
  if (!parse_segment_head(bytes, &head)) return;
  SegmentHead again;
  KVORUM_CHECK(parse_segment_head(encode_segment_head(head), &again) && again == head);
  SegmentReader reader(bytes, head);
  SegmentReader::Batch batch;
  while (reader.next(&batch) || reader.skip(&batch)) {
    KVORUM_CHECK(is_within(batch.payload, bytes));
    KVORUM_CHECK(batch.payload.size() == batch.head.payload_bytes);
  }
  KVORUM_CHECK(reader.end() < bytes.size() + BatchHead::kAlignment);
}

// The changes of a payload whose checksum holds; those that make sense are encoded anew.
void check_changes(std::string_view input) {
  Choices choices(input);
  SegmentReader::Batch batch;
  batch.head.index_bytes = choices.byte();
  batch.payload = choices.rest();
  if (batch.head.index_bytes > batch.payload.size()) return;
  batch.head.payload_bytes = batch.payload.size();
  StoreBatch changes;
  size_t count = 0, bytes = 0;
  const bool good = for_each_change(batch, [&](const StoreBatch::Change& change) {
    KVORUM_CHECK(is_within(change.key, batch.payload) && is_within(change.value, batch.payload));
    KVORUM_CHECK(!change.key.empty() && !(change.erase && !change.value.empty()));
    bytes += change.key.size() + change.value.size();
    ++count;
    change.erase ? changes.erase(change.key) : changes.put(change.key, change.value);
  });
  KVORUM_CHECK(count <= batch.head.index_bytes && bytes <= batch.payload.size());
  if (!good || count == 0) return;
  KVORUM_CHECK(bytes + batch.head.index_bytes == batch.payload.size());
  std::string encoded = encode_segment_head({kId, 1, 1, 0, 1});
  SegmentHead head;
  KVORUM_CHECK(parse_segment_head(encoded, &head));
  EncodedBatch encoder;
  for (const std::string_view part : encoder.encode(changes, {1, 0, head.seed()})) encoded += part;
  KVORUM_CHECK(encoded.size() == SegmentHead::kBytes + EncodedBatch::bytes_of(changes));
  SegmentReader reader(encoded, head);
  KVORUM_CHECK(reader.next(&batch) && reader.end() == encoded.size());
  size_t at = 0;
  KVORUM_CHECK(for_each_change(batch, [&](const StoreBatch::Change& change) {
    const StoreBatch::Change written = changes[at++];
    KVORUM_CHECK(change.key == written.key && change.value == written.value);
    KVORUM_CHECK(change.erase == written.erase);
  }));
  KVORUM_CHECK(at == count);
}

uint64_t u64_at(const std::string& bytes, size_t at) { return ByteReader(bytes.substr(at)).u64(); }
void set_u64(std::string& bytes, size_t at, uint64_t value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}
// Numbers that meet those of other slots, where the input asks for it.
void lower_u64(std::string& bytes, size_t at, uint64_t mask) {
  set_u64(bytes, at, u64_at(bytes, at) & mask);
}

// Gives the batches from `at` on checksums that hold, but for those whose first byte is odd. What
// they claim to be long is left as it is.
void seal_batches(std::string& slot, uint64_t seed, bool small) {
  constexpr uint64_t kSmallPayload = 0x7f, kSmallIndex = 0x0f, kSmall = 0x0f;
  constexpr size_t kPayload = 8, kSequence = 16, kDurable = 24, kSum = 32, kHeadSum = 40;
  static const std::string magic = "KVJB";
  for (size_t at = SegmentHead::kBytes; at + BatchHead::kBytes <= slot.size();) {
    if ((slot[at] & 1) != 0) {
      at += BatchHead::kAlignment;
      continue;
    }
    slot.replace(at, magic.size(), magic);
    if (small) {
      lower_u64(slot, at + sizeof(uint32_t), kSmallIndex);  // its high half is of the next number
      lower_u64(slot, at + kPayload, kSmallPayload);
      lower_u64(slot, at + kSequence, kSmall);
      lower_u64(slot, at + kDurable, kSmall);
    }
    BatchHead head;
    head.payload_bytes = u64_at(slot, at + kPayload);
    const std::string_view rest = std::string_view(slot).substr(at + BatchHead::kBytes);
    const bool fits = head.payload_bytes <= rest.size();
    if (fits) {
      set_u64(slot, at + kSum, hash_seeded(rest.substr(0, head.payload_bytes), seed));
    }
    const std::string_view summed = std::string_view(slot).substr(at, kHeadSum);
    set_u64(slot, at + kHeadSum, hash_seeded(summed, seed));
    at += fits ? head.stride() : BatchHead::kBytes;
  }
}

// The same for the head of a segment and what follows it.
void seal(std::string& slot, unsigned how) {
  constexpr unsigned kSealed = 1, kSmallNumbers = 2;
  constexpr uint64_t kSmall = 0x07;
  if ((how & kSealed) == 0 || slot.size() < SegmentHead::kBytes) return;
  ByteReader reader(std::string_view(slot).substr(sizeof(uint64_t)));
  const bool small = (how & kSmallNumbers) != 0;
  reader.u64();
  uint64_t numbers[4];  // number, first sequence, durable, oldest
  for (uint64_t& number : numbers) number = small ? 1 + (reader.u64() & kSmall) : reader.u64();
  if (small) numbers[3] = std::min(numbers[0], numbers[3]);
  const SegmentHead head{kId, numbers[0], numbers[1], numbers[2], numbers[3]};
  slot.replace(0, SegmentHead::kBytes, encode_segment_head(head));
  seal_batches(slot, head.seed(), small);
}

// In order, each key once, of bytes that are there, and no more than these can hold.
void check_recovered(const RecoveredJournal& found, const JournalMedium& medium) {
  constexpr size_t kChangeBytesLeast = 2;
  size_t total = 0;
  for (const auto& [number, slot] : medium.slots) total += slot.bytes.size();
  KVORUM_CHECK(found.changes.size() * kChangeBytesLeast <= total);
  KVORUM_CHECK(found.batches * BatchHead::kBytes <= total);
  KVORUM_CHECK(found.beginning.live.size() <= medium.slots.size());
  std::string_view before;
  for (const RecoveredJournal::Change& change : found.changes) {
    KVORUM_CHECK(before < change.key);
    before = change.key;
    const auto holds = [&change](const auto& slot) {
      return is_within(change.key, slot.second.bytes) && is_within(change.value, slot.second.bytes);
    };
    KVORUM_CHECK(std::any_of(medium.slots.begin(), medium.slots.end(), holds));
    KVORUM_CHECK(!(change.erase && !change.value.empty()));
  }
}

// Whatever was found, what is appended after it is there at the next start; where anything can be.
void check_goes_on(Journal::Beginning beginning, JournalMedium& medium) {
  if (std::max(beginning.last_number, beginning.last_sequence) >= kJournalNumberMax) return;
  MemoryJournalDisk disk(&medium);
  const uint64_t store_id = beginning.store_id;
  Journal journal(&disk, kCapacity);
  KVORUM_CHECK(journal.begin(std::move(beginning)).ok());
  StoreBatch batch;
  batch.put("appended", "last");
  KVORUM_CHECK(journal.append(batch).ok());
  const JournalMark mark{store_id, journal.oldest(), false};
  const auto again = recover_journal(disk, &mark, {});
  KVORUM_CHECK(again.ok());
  const auto& changes = again.value().changes;
  KVORUM_CHECK(std::any_of(changes.begin(), changes.end(), [](const auto& change) {
    return change.key == "appended" && change.value == "last";
  }));
}

void check_disk(std::string_view input) {
  constexpr unsigned kSlotsMax = 4;
  Choices choices(input);
  const unsigned knows = choices.byte();
  JournalMark mark{kId, 1 + choices.byte() % 8, (knows & 2) != 0};
  JournalMedium medium;
  const unsigned slots = 1 + choices.byte() % kSlotsMax;
  unsigned how[kSlotsMax];
  for (unsigned& one : how) one = choices.byte();
  const std::string_view rest = choices.rest();
  const size_t each = rest.size() / slots;
  for (unsigned slot = 0; slot < slots; ++slot) {
    std::string& bytes = medium.slots[slot].bytes;
    bytes = rest.substr(slot * each, each);
    seal(bytes, how[slot]);
  }
  MemoryJournalDisk disk(&medium);
  auto found = recover_journal(disk, (knows & 1) != 0 ? &mark : nullptr, {kId, false});
  KVORUM_CHECK(found.ok());
  check_recovered(found.value(), medium);
  check_goes_on(std::move(found.value().beginning), medium);
}

void fuzz_journal(std::string_view input) {
  Choices choices(input);
  switch (choices.byte() % 5) {
    case 0:
      return check_mark(choices.rest());
    case 1: {
      std::string sealed(choices.rest());
      seal(sealed, choices.byte());
      return check_segment(sealed);
    }
    case 2:
      return check_changes(choices.rest());
    case 3:
      return check_disk(choices.rest());
    default:
      return tell_journal_story(choices.rest());
  }
}

const RegisterFuzzTarget kRegistered("journal_fuzz", &fuzz_journal);

}  // namespace
}  // namespace kvorum::fuzz
