// SPDX-License-Identifier: Apache-2.0
// This node as the one that is asked in an exchange of anti-entropy: says which of the asker's
// roots, nodes and objects differ from its own. Keeps no state between two questions but for
// objects that have to be read from the store. Each coordinator has one, since a frame is served by
// the reactor that got it. Private to cluster/; owned by the coordinator.
#pragma once

#include "base/slot_map.h"
#include "cluster/repair/range_objects.h"
#include "cluster/wire/anti_entropy_messages.h"

namespace kvorum::cluster {

class ExchangeServer {
 public:
  static constexpr size_t kItemsBytesMax = 256 * 1024;  // an answer ends behind this
  static constexpr size_t kObjectsMax = 1024;           // looked at per answer
  static constexpr size_t kValuesPerPageMax = 512;      // objects, and about so many bytes:
  static constexpr size_t kValuesBytes = 128 * 1024;
  static constexpr size_t kServingsMax = 1024;  // that wait for the store

  explicit ExchangeServer(Core& core) : core_(core) {}

  // False where the frame is malformed, or of no type that is a question of an exchange.
  bool on_message(LinkIndex from, const Frame& frame, Now now);
  void on_scanned(SlotId id, const ScanPage& page);

 private:
  struct Serving {
    LinkIndex asker;
    SlotId operation;
    uint8_t keyspace;
    RangeDigests question;
    Hlc frontier;  // of the copy, before it was read
  };

  bool on_open(LinkIndex from, const Frame& frame, Now now);
  bool on_roots(LinkIndex from, const Frame& frame, Now now);
  bool on_nodes(LinkIndex from, const Frame& frame);
  bool on_range(LinkIndex from, const Frame& frame);
  bool on_done(LinkIndex from, const Frame& frame, Now now);
  void answer_range(const Serving& serving, const RangeObjects& own);
  void answer_values(const Serving& serving, const RangeObjects& own);
  size_t values_per_page() const;
  std::vector<uint32_t> compared_partitions(uint8_t keyspace, MemberIndex asker,
                                            const PartitionRoots& message) const;
  bool is_apart(uint8_t keyspace, uint32_t partition, const RootFence& theirs) const;
  // The party's member, or kNoMember for a stranger.
  MemberIndex member_of(const ExchangeParty& party) const;

  Core& core_;
  SlotMap<Serving> servings_;
  size_t average_bytes_ = 4096;  // of the objects that were handed over lately
};

}  // namespace kvorum::cluster
