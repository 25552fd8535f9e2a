// SPDX-License-Identifier: Apache-2.0
// The elements of which a history consists, as they are written to disk and sent to other nodes:
// the founding, changes, the lists of changes that make a set, and facts. Plain values; whether
// they make sense together is for History::take_in() to judge.
//
//   element = kind(1) founding | kind(2) change | kind(3) count ChangeId* | kind(4) fact
//           | kind(5) placement founding
//
// A founding with the first placement has kind 1, as releases know it that have no other; one with
// a later placement has kind 5, which they refuse.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/history/change.h"
#include "cluster/history/fact.h"
#include "cluster/ring/founding.h"

namespace kvorum::cluster {

using ChangeList = std::vector<ChangeId>;  // ascending, none twice

inline constexpr size_t kChangesMax = 16384;  // of a history

struct HistoryElements {
  std::optional<Founding> founding;
  std::vector<Change> changes;
  std::vector<ChangeList> sets;
  std::vector<Fact> facts;
};

void encode_element(const Founding& founding, std::string& out);
void encode_element(const Change& change, std::string& out);
void encode_element(const ChangeList& set, std::string& out);
void encode_element(const Fact& fact, std::string& out);

// All elements up to the end of the bytes. False where they are malformed.
bool decode_elements(std::string_view bytes, HistoryElements* elements);

// Of everything that decides who owns what at first, and of the addresses.
uint64_t founding_hash(const Founding& founding);

// Digest of the changes; the empty list gives the founding set, whose id is the cluster's.
SetId set_id(uint64_t cluster_id, const ChangeList& changes);

}  // namespace kvorum::cluster
