// SPDX-License-Identifier: Apache-2.0
// Payloads of the frames of anti-entropy (types 64 to 79, cluster/wire/frame.h), in the order of
// an exchange. Parsing checks every bound; views are into the frame. The keyspace stands in the
// frame's head but for the opening, which is about all of them.
//
//   asker                                   peer
//     --ExchangeOpen, a digest per keyspace-->
//     <--which of them differ-----------------
//     --PartitionRoots of such a keyspace---->
//     <--which of them differ, their depth----
//     --TreeNodes: children of these nodes--->      level by level, differing nodes only
//     <--their XORs---------------------------
//     --RangeDigests of a differing stretch-->
//     <--what each side lacks-----------------      whole objects, where the asker has none there
//     --ReplicaRead, ReplicaWrite (repair)--->      as for any other read and write
//     --ExchangeDone------------------------->
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "cluster/wire/frame.h"

namespace kvorum::cluster {

// Who speaks: since a link that was accepted does not tell, and a clean exchange is one between two
// runs.
struct ExchangeParty {
  NodeId node = 0;
  uint64_t run = 0;   // incarnation of the node's run
  Hlc clock;          // before it looked at its trees
  bool whole = true;  // false: it holds partitions that are not whole, and drives all exchanges
};

struct ExchangeOpen {
  ExchangeParty asker;
  uint64_t view_hash = 0;   // ClusterView::exchange_hash()
  std::string_view gossip;  // opaque here
  // Of the roots of all partitions of which both nodes are primaries.
  std::vector<std::pair<uint8_t, uint64_t>> keyspaces;
};
void put_exchange_open(std::string& batch, SlotId round, const ExchangeOpen& message);
bool parse_exchange_open(const Frame& frame, ExchangeOpen* message);

struct ExchangeOpenReply {
  bool refused = false;  // another view of the cluster, or no member
  ExchangeParty peer;
  std::string_view gossip;
  std::vector<uint8_t> differing;
};
void put_exchange_open_reply(std::string& batch, SlotId round, const ExchangeOpenReply& message);
bool parse_exchange_open_reply(const Frame& frame, ExchangeOpenReply* message);

// Partition and its root; those that are not named are zero.
using PartitionRootList = std::vector<std::pair<uint32_t, uint64_t>>;
// What the asker knows of a partition it names, and of its own copy: an exchange counts for a
// change of the ring only where both knew the same when it began (docs/MEMBERSHIP.md).
struct RootFence {
  uint64_t signature = 0;  // ClusterView::signature()
  bool whole = true;

  bool operator==(const RootFence&) const = default;
};
struct PartitionRoots {
  ExchangeParty asker;
  bool all = false;  // of all shared partitions, not of the asker's half alone
  // Those of zero are named too, and no other partition is meant: the placements of the two may
  // differ.
  bool names_all = false;
  PartitionRootList roots;
  std::vector<RootFence> fences{};  // of each root, or none
};
void put_partition_roots(std::string& batch, const FrameHead& head, const PartitionRoots& message);
bool parse_partition_roots(const Frame& frame, PartitionRoots* message);

struct PartitionRootsReply {
  ExchangeParty peer;
  std::vector<std::pair<uint32_t, uint8_t>> differing;  // partition, depth of its tree
  // Of those that were fenced: of which this node knows something else, or owns nothing; and of
  // which its copy is not whole.
  std::vector<uint32_t> apart{}, lacking{};
};
void put_partition_roots_reply(std::string& batch, const FrameHead& head,
                               const PartitionRootsReply& message);
bool parse_partition_roots_reply(const Frame& frame, PartitionRootsReply* message);

// Asks for the nodes of `level` below each parent, a node of `level - fan`.
struct TreeNodes {
  uint32_t partition = 0;
  uint8_t level = 0;
  uint8_t fan = 0;
  std::vector<uint64_t> parents;  // ascending
};
inline constexpr size_t kTreeParentsMax = 256;
inline constexpr uint8_t kTreeFanMax = 4;
void put_tree_nodes(std::string& batch, const FrameHead& head, const TreeNodes& message);
bool parse_tree_nodes(const Frame& frame, TreeNodes* message);

struct TreeNodesReply {
  uint8_t depth = 0;            // of the peer's tree; below the level asked for: no nodes
  std::vector<uint64_t> nodes;  // 2^fan per parent
};
void put_tree_nodes_reply(std::string& batch, SlotId exchange, const TreeNodesReply& message);
bool parse_tree_nodes_reply(const Frame& frame, TreeNodesReply* message);

// A stretch of a partition and the leaf digests of the asker's objects in it.
struct RangeDigests {
  uint32_t partition = 0;
  uint64_t from = 0;              // Position::high
  uint64_t end = 0;               // exclusive; 0: the partition's end
  std::vector<uint64_t> digests;  // ascending
  bool wants_values = false;      // the asker has nothing there: it takes whole objects
};
inline constexpr size_t kRangeDigestsMax = 8192;
void put_range_digests(std::string& batch, const FrameHead& head, const RangeDigests& message);
bool parse_range_digests(const Frame& frame, RangeDigests* message);

// What differs, up to `end`.
struct RangeDifferences {
  bool refused = false;
  uint64_t end = 0;              // exclusive; 0: all that was asked about
  std::vector<uint32_t> lacked;  // indexes of the asker's digests that no object here has
  std::string_view items;        // put_page_item(): objects whose digest the asker does not have
  // Where values were wanted: the others of them whole, as items too, packed (base/packed.h); and
  // the frontier of the copy before they were read.
  std::string_view values{};
  Hlc frontier{};
};
inline constexpr size_t kPageValuesMax = 4 << 20;  // of an unpacked page
void put_range_differences(std::string& batch, SlotId range, const RangeDifferences& message);
bool parse_range_differences(const Frame& frame, RangeDifferences* message);

// All that differed in these partitions is repaired: a clean exchange between two runs.
struct ExchangeDone {
  ExchangeParty asker;
  uint64_t peer_run = 0;
  Hlc peer_clock;  // of its answer with the roots
  uint32_t partition = 0;
  RootFence fence{};  // zero: it is not fenced
};
void put_exchange_done(std::string& batch, const FrameHead& head, const ExchangeDone& message);
bool parse_exchange_done(const Frame& frame, ExchangeDone* message);

void put_exchange_done_reply(std::string& batch, SlotId exchange, bool refused);
bool parse_exchange_done_reply(const Frame& frame, bool* refused);

}  // namespace kvorum::cluster
