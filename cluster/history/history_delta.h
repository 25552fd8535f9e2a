// SPDX-License-Identifier: Apache-2.0
// How two nodes come to the union of their histories with few bytes. Gossip carries the digest; at
// rest nothing else passes. Where it differs, the hashes of 64 buckets are compared, into which
// the elements fall by their hashes, and of each bucket that differs all elements are sent:
//
//   A --encode_buckets--> B --encode_difference, encode_buckets--> A --encode_difference--> B
//
// Both merge what they receive. A sender always sends all that differs at once, with the sets that
// its facts name: a history is joined whole, and no fact comes without what its author knew.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cluster/history/history.h"

namespace kvorum::cluster {

// The cluster's id and a hash for each bucket: 520 bytes.
void encode_buckets(const History& history, std::string& out);

// Appends all that the other one may lack, or nothing where no bucket differs. Where some do, it
// appends something even if this node has no element in them: the other one is to answer. False
// where the other's buckets are malformed, or of another cluster.
bool encode_difference(const History& history, std::string_view other_buckets, std::string& out);

// All that `history` has and `before`, an earlier one of the same cluster, has not.
void encode_additions(const History& before, const History& history, std::string& out);

// Whether it brought anything new. None where it is malformed, of another cluster, or not whole:
// nothing was taken in then.
std::optional<bool> merge_difference(History& history, std::string_view difference);

}  // namespace kvorum::cluster
