// SPDX-License-Identifier: Apache-2.0
// What a journal holds when a process starts: the last change of each key, and whether anything is
// missing that was safe.
//
// A batch counts if it stands in a segment that is needed, and no later segment says that it begins
// with that sequence or an earlier one. Where a sequence is missing, what comes after it counts
// only if somebody knew the missing one to be on the disk: then it is damage. Else a power cut took
// it, in the order in which a disk writes its pages, and the journal ends before it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/journal/journal.h"
#include "engine/journal/journal_disk.h"

namespace kvorum::engine {

// As the store beneath says it.
struct JournalMark {
  uint64_t store_id = 0;
  uint64_t first_needed = 1;  // the number of a segment: what came before is in the store
  bool empty = true;          // there need not be a segment yet
  friend bool operator==(const JournalMark&, const JournalMark&) = default;
};
std::string encode_journal_mark(const JournalMark& mark);
bool parse_journal_mark(std::string_view bytes, JournalMark* mark);

struct RecoveredJournal {
  struct Change {
    std::string_view key;
    std::string_view value;
    bool erase = false;
  };
  Journal::Beginning beginning;
  std::vector<Change> changes;  // by key, each once; views of what the disk gave to read
  std::string damage;           // empty: there is none
  uint64_t batches = 0;
};

struct JournalRecoveryOptions {
  uint64_t fresh_id = 0;            // random: of the journal where there is no other
  bool store_was_salvaged = false;  // that it has no mark is no damage of the journal
};

// Null for the mark where the store has none. Then what the segments say of themselves is followed,
// and it is damage if there are any. Blocks on I/O.
Result<RecoveredJournal> recover_journal(JournalDisk& disk, const JournalMark* mark,
                                         const JournalRecoveryOptions& options);

}  // namespace kvorum::engine
