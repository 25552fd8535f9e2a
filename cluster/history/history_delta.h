// SPDX-License-Identifier: Apache-2.0
// How two nodes come to the union of their histories with few bytes: each change and fact falls by
// its hash into one of 64 buckets; where the XOR of a bucket differs, everything in it is sent. At
// rest the 64 words are all that is compared, and gossip carries but the digest of them all. What
// is sent is always all that differs: a fact never comes without what its author knew.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cluster/history/history.h"

namespace kvorum::cluster {

inline constexpr size_t kDeltaBuckets = 64;

// The digest of the founding and the hash of each bucket: 520 bytes.
void encode_buckets(const History& history, std::string& out);

// All of the buckets that differ from the other one's; nothing where none does, or where the two
// were founded differently (another weight or policy in the file). False where its buckets are
// malformed.
bool encode_difference(const History& history, std::string_view other_buckets, std::string& out);

// Takes in what the other one sent. Whether it brought anything new; none where it is malformed:
// nothing was taken in then.
std::optional<bool> merge_difference(History& history, std::string_view difference);

}  // namespace kvorum::cluster
