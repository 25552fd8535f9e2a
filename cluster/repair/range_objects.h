// SPDX-License-Identifier: Apache-2.0
// The objects of a stretch of a partition, as both sides of an exchange compare them: keys with
// their versions but without values, and their leaf digests. Also which partitions two members
// share. Private to the anti-entropy machines.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/machine/core.h"
#include "cluster/own/scan_page.h"
#include "cluster/wire/anti_entropy_messages.h"

namespace kvorum::cluster {

struct RangeObject {
  std::string key;
  uint64_t high = 0;       // of its position
  std::string stripped;    // portable form without values
  uint64_t digest = 0;     // 0: nothing but a vector
  uint64_t newest_ms = 0;  // of its dots
};

struct RangeObjects {
  bool refused = false;              // the store could not be read
  uint64_t end = 0;                  // exclusive; 0: the end that was asked for
  std::vector<RangeObject> objects;  // in position order
  std::string values{};              // ScanPage::values: of so many that came whole
  uint32_t whole = 0;
};

// What is resident; nothing where the store has to be read first.
std::optional<RangeObjects> read_range(const Core& core, const RangeLoad& range);
RangeObjects range_objects_of(const Core& core, uint8_t keyspace, const ScanPage& page);

// Partitions that this node and the peer hold, ascending: of which both are primaries, or were
// before the configuration changed and copies still follow (former_placements.h).
std::vector<uint32_t> shared_partitions(const Core& core, uint8_t keyspace, MemberIndex peer);
// Those that are compared one by one, whatever the digest of all says: partitions that move and of
// which both are owners, and what this node holds and no longer owns, while the peer does.
std::vector<uint32_t> moving_partitions(const Core& core, uint8_t keyspace, MemberIndex peer);
// What this node knows of a partition, and of its copy, now: of an exchange that begins. Its
// signature is 0 while some reactor of this node may still serve by what was known before.
RootFence fence_of(const Core& core, uint8_t keyspace, uint32_t partition);
// Whether a, not b, drives the exchanges of a partition: each does so for every other one.
bool drives(MemberIndex a, MemberIndex b, uint32_t partition);
// Of these partitions and their roots.
uint64_t roots_digest(const Core& core, uint8_t keyspace, const std::vector<uint32_t>& partitions);

// Who this node is, in an exchange that begins now.
ExchangeParty party_of(const Core& core, Now now);
// As this node, `own`, notes an exchange with the other that was clean. `fence`: what both knew,
// and whether the other's copy was whole.
CleanExchange clean_exchange(const ExchangeParty& own, const ExchangeParty& other,
                             const RootFence& fence = {0, false});

// Appends a frame of an exchange for that link, and counts its bytes.
void send_counted(Core& core, LinkIndex to, FunctionRef<void(std::string& batch)> fn);

}  // namespace kvorum::cluster
