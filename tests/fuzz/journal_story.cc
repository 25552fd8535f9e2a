// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/journal_story.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "engine/journal/journal.h"
#include "engine/journal/journal_recovery.h"
#include "tests/engine/memory_journal_disk.h"
#include "tests/fuzz/fuzz_target.h"

namespace kvorum::fuzz {
namespace {

using namespace kvorum::engine;  // NOLINT: half of it is under test here
using engine::testing::JournalMedium;
using engine::testing::MemoryJournalDisk;

using State = std::map<std::string, std::optional<std::string>, std::less<>>;

class JournalStory {
 public:
  JournalStory() { begin({.store_id = kId, .live = {}}); }

  void tell(Choices& choices);
  void change_byte(Choices& choices);
  void lose_power(uint64_t seed);

 private:
  static constexpr uint64_t kCapacity = 32 * 1024;  // segments of four sectors
  static constexpr uint64_t kId = 5;
  static constexpr int kStepsMax = 64;

  struct Written {
    uint64_t sequence;
    uint64_t number;   // of its segment
    uint64_t durable;  // before it
    std::vector<std::pair<std::string, std::optional<std::string>>> changes;
  };
  // Sequences that one changed byte makes unreadable: [begin, end).
  struct Lost {
    uint64_t begin = 0;
    uint64_t end = 0;
    bool head = false;
    bool nothing() const { return begin == end; }
    bool has(uint64_t sequence) const { return begin <= sequence && sequence < end; }
  };

  void begin(Journal::Beginning beginning) {
    journal_ = std::make_unique<Journal>(&disk_, kCapacity);
    KVORUM_CHECK(journal_->begin(std::move(beginning)).ok());
    first_needed_ = journal_->oldest();
  }
  void append(unsigned count, Choices& choices);
  void sync() {
    const Journal::Unsynced unsynced = journal_->take_unsynced();
    KVORUM_CHECK(journal_->sync_slots(unsynced).ok());
    journal_->note_synced(unsynced);
  }
  void checkpoint();
  RecoveredJournal recover();
  void restart();
  Lost lost_by(const std::string& slot, size_t at) const;
  uint64_t durable_known(const Lost& lost) const;
  // Of the batches that are needed and that `counts` chooses.
  template <class Counts>
  State state_of(const Counts& counts) const;
  static void expect(const RecoveredJournal& recovered, const State& state);

  JournalMedium medium_;
  MemoryJournalDisk disk_{&medium_};
  std::unique_ptr<Journal> journal_;
  std::vector<Written> written_;
  uint64_t first_needed_ = 1;
};

void JournalStory::append(unsigned count, Choices& choices) {
  constexpr unsigned kKeys = 16, kLong = 0xf0, kLongTimes = 200;
  Written written{journal_->last_sequence() + 1, 0, journal_->durable(), {}};
  StoreBatch batch;
  for (; count > 0; --count) {
    const unsigned key = choices.byte(), value = choices.byte();
    const std::string name = "key-" + std::string(key % kKeys, 'k');
    std::optional<std::string> bytes;
    if (key < UINT8_MAX / 4 * 3) {  // else erased
      bytes = std::string(value >= kLong ? value * kLongTimes / 10 : value % kLong / 2, 'v');
      bytes->append(std::to_string(written.sequence));
    }
    bytes ? batch.put(name, *bytes) : batch.erase(name);
    written.changes.emplace_back(name, std::move(bytes));
  }
  KVORUM_CHECK(journal_->append(batch).ok());
  KVORUM_CHECK(journal_->last_sequence() == written.sequence);
  written.number = journal_->current();
  written_.push_back(std::move(written));
}

void JournalStory::checkpoint() {
  KVORUM_CHECK(journal_->rotate().ok());
  sync();
  journal_->retire_before(journal_->current());
  first_needed_ = journal_->current();
}

RecoveredJournal JournalStory::recover() {
  const JournalMark mark{kId, first_needed_, false};
  auto found = recover_journal(disk_, &mark, {});
  KVORUM_CHECK(found.ok());
  return std::move(found).value();
}

template <class Counts>
State JournalStory::state_of(const Counts& counts) const {
  State state;
  for (const Written& written : written_) {
    if (written.number < first_needed_ || !counts(written)) continue;
    for (const auto& [key, value] : written.changes) state.insert_or_assign(key, value);
  }
  return state;
}

void JournalStory::expect(const RecoveredJournal& recovered, const State& state) {
  KVORUM_CHECK(recovered.changes.size() == state.size());
  auto expected = state.begin();
  for (const RecoveredJournal::Change& change : recovered.changes) {
    KVORUM_CHECK(change.key == expected->first);
    KVORUM_CHECK(change.erase == !expected->second.has_value());
    KVORUM_CHECK(change.erase || change.value == *expected->second);
    ++expected;
  }
}

// Nothing is lost where the machine goes on.
void JournalStory::restart() {
  RecoveredJournal recovered = recover();
  KVORUM_CHECK(recovered.damage.empty());
  expect(recovered, state_of([](const Written&) { return true; }));
  begin(std::move(recovered.beginning));
}

void JournalStory::tell(Choices& choices) {
  for (int step = 0; step < kStepsMax && !choices.rest().empty(); ++step) {
    const unsigned what = choices.byte();
    switch (what % 8) {
      case 0:
        sync();
        break;
      case 1:
        KVORUM_CHECK(journal_->rotate().ok());
        break;
      case 2:
        what < UINT8_MAX / 2 ? checkpoint() : restart();
        break;
      default:
        append(1 + what / 8 % 4, choices);
    }
  }
}

// Called before anything is changed, so that the decoder may say where the batches stand.
auto JournalStory::lost_by(const std::string& slot, size_t at) const -> Lost {
  SegmentHead head;
  if (!parse_segment_head(slot, &head) || head.number < first_needed_) return {};
  Lost lost;
  lost.head = at < SegmentHead::kBytes;
  SegmentReader reader(slot, head);
  SegmentReader::Batch batch;
  for (uint64_t begin = reader.end(); reader.next(&batch); begin = reader.end()) {
    const uint64_t end = begin + BatchHead::kBytes + batch.head.payload_bytes;
    const bool hit = begin <= at && at < end;
    if (!hit && !lost.head) continue;
    if (lost.nothing()) lost.begin = batch.head.sequence;
    lost.end = batch.head.sequence + 1;
  }
  return lost;
}

// Up to where what is left says that the journal was synced.
uint64_t JournalStory::durable_known(const Lost& lost) const {
  uint64_t durable = 0;
  for (const Written& written : written_) {
    if (written.number < first_needed_ || lost.has(written.sequence)) continue;
    durable = std::max(durable, written.durable);
  }
  for (const auto& [number, slot] : medium_.slots) {
    SegmentHead head;
    if (!parse_segment_head(slot.bytes, &head) || head.number < first_needed_) continue;
    durable = std::max(durable, head.durable);
  }
  return durable;
}

// What recovers is what was written before the batch that was changed; or, where it was known to be
// on the disk, all but it, and that is called damage.
void JournalStory::change_byte(Choices& choices) {
  auto slot = medium_.slots.begin();
  std::advance(slot, choices.byte() % medium_.slots.size());
  std::string& bytes = slot->second.bytes;
  const size_t at = (choices.byte() << 8 | choices.byte()) % bytes.size();
  const Lost lost = lost_by(bytes, at);
  const auto difference = static_cast<char>(choices.byte() | 1);
  bytes[at] = static_cast<char>(bytes[at] ^ difference);
  const RecoveredJournal recovered = recover();
  if (recovered.damage.empty()) {
    expect(recovered, state_of([&lost](const Written& written) {
             return lost.nothing() || written.sequence < lost.begin;
           }));
  } else {
    KVORUM_CHECK(lost.head || !lost.nothing());
    expect(recovered,
           state_of([&lost](const Written& written) { return !lost.has(written.sequence); }));
  }
  if (!lost.nothing() && durable_known(lost) >= lost.begin) {
    KVORUM_CHECK(!recovered.damage.empty());
  }
}

// No damage, and some prefix that has all that was synced; and it goes on from there.
void JournalStory::lose_power(uint64_t seed) {
  const uint64_t synced = journal_->durable();
  Rng rng(seed);
  medium_.lose_power(rng, 0.5);
  RecoveredJournal recovered = recover();
  KVORUM_CHECK(recovered.damage.empty());
  const uint64_t last = recovered.beginning.last_sequence;
  KVORUM_CHECK(last >= synced);
  expect(recovered, state_of([last](const Written& written) { return written.sequence <= last; }));
  std::erase_if(written_, [last](const Written& written) { return written.sequence > last; });
  begin(std::move(recovered.beginning));
  Choices none({});
  append(1, none);
  restart();
}

}  // namespace

void tell_journal_story(std::string_view input) {
  Choices choices(input);
  const unsigned end = choices.byte();
  Choices change(choices.rest());
  for (int byte = 0; byte < 4; ++byte) choices.byte();
  JournalStory story;
  story.tell(choices);
  end % 4 == 0 ? story.lose_power(end) : story.change_byte(change);
}

}  // namespace kvorum::fuzz
