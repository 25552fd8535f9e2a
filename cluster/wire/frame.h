// SPDX-License-Identifier: Apache-2.0
// Frames between nodes: hand-coded, versioned by the greeting of their link, checksummed.
//
//   u32 length        of everything after this field
//   u32 checksum      XXH3 of everything after this field
//   u8  type          MessageType
//   u8  keyspace
//   u16 flags         meaning by type
//   u64 operation     of the asking node's pool; echoed in the answer
//   ...               payload by type, little endian
//
// A payload about a key begins with the key's position (16 bytes), so that nobody hashes it again.
// Numbers of types never change their meaning; a new layout is a new type or protocol version.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/shared_bytes.h"
#include "base/slot_map.h"
#include "cluster/ring/cluster_view.h"

namespace kvorum::cluster {

inline constexpr uint16_t kProtocolVersion = 16;
// The oldest one that this binary still speaks, for rolling upgrades.
inline constexpr uint16_t kProtocolOldest = 11;
inline constexpr size_t kFrameLengthBytes = 4;
inline constexpr size_t kFrameHeadBytes = 4 + 4 + 1 + 1 + 2 + 8;
inline constexpr uint64_t kFrameBytesMax = kValueBytesMax + 16 * 1024 * 1024;
// Longer ones travel in chunks between the others of their link (frame_chunks.h).
inline constexpr size_t kLargeFrameBytes = 128 * 1024;

enum class MessageType : uint8_t {
  kHello = 1,  // link level: greeting, its answer, keep-alive (server/ handles these four)
  kWelcome = 2,
  kPing = 3,
  kPong = 4,
  kChunk = 5,       // of a frame that is too long for its link (frame_chunks.h)
  kChunkTaken = 6,  // so much of it has come
  kStopping = 7,    // this node stops: ask it nothing new (coordinator.h, on_stopping())
  kForward = 8,     // a client's request, for the node that coordinates it
  kForwardReply = 9,
  kReplicaRead = 10,
  kReplicaReadReply = 11,
  kReplicaWrite = 12,
  kReplicaWriteReply = 13,
  kProbe = 14,  // are you there: the operation is the asker's clock (asker.h); no payload
  kProbeReply = 15,
  kForwardPermit = 16,  // whether, and for how long, a retry may begin (retry_permit.h)
  kForwardAsk = 17,     // the question, from the node that has the kForward
  kUnclaim = 18,        // what a kReplicaRead claimed is not needed any more (claims.h); no answer
  kStoppingSeen = 20,   // of kStopping: nothing that was asked comes after it; no answer
  // 32 and up: operations on keyspaces (cluster/keyspace/keyspace_machine.h)
  kScan = 32,
  kScanReply = 33,
  kCount = 34,
  kCountReply = 35,
  kFlushClocks = 36,
  kFlushClocksReply = 37,
  kFlushMark = 38,
  kFlushMarkReply = 39,
  // 64 to 79: anti-entropy (cluster/wire/anti_entropy_messages.h)
  kExchangeOpen = 64,
  kExchangeOpenReply = 65,
  kPartitionRoots = 66,
  kPartitionRootsReply = 67,
  kTreeNodes = 68,
  kTreeNodesReply = 69,
  kRangeDigests = 70,
  kRangeDifferences = 71,
  kExchangeDone = 72,
  kExchangeDoneReply = 73,
  // 96 and up: gossip (cluster/membership/gossip.h)
  kGossip = 96,
  kGossipReply = 97,
  kTelling = 98,  // a node's configuration, and the answer with the other one's (agreement_link.h)
  kTellingReply = 99,
  kHistoryBuckets = 100,  // cluster/membership/history_link.h
  kHistoryDifference = 101,
  kHeldCopies = 102,  // what do you hold of the partitions that move (held_copies.h)
  kHeldCopiesReply = 103,
  kPublish = 112,  // a message for whoever is subscribed at the node (server/pubsub); no answer
  // 114 to 116: whose clients cache keys, and which have changed (server/tracking/change_frames.h)
  kTrackChanges = 114,
  kTrackChangesReply = 115,
  kChangedKeys = 116,  // no answer
  // 120 and up: texts that all nodes share (cluster/keyspace/text_operations.h)
  kFindText = 120,
  kFindTextReply = 121,
  kDropTexts = 122,
  kDropTextsReply = 123,
  kLibrariesDigest = 124,
  kLibrariesDigestReply = 125,
  kLibraries = 126,
  kLibrariesReply = 127,
};

// On a link between two nodes the one that dialed asks (even types), the other one answers (odd
// ones). What they tell each other of the history and of flush marks goes both ways.
inline bool goes_both_ways(MessageType type) {
  return type == MessageType::kHistoryBuckets || type == MessageType::kHistoryDifference ||
         type == MessageType::kFlushMark || type == MessageType::kFlushMarkReply;
}
inline bool may_come_from_dialer(MessageType type) {
  const bool asks = static_cast<uint8_t>(type) % 2 == 0;
  return type >= MessageType::kForward && (asks || goes_both_ways(type));
}
inline bool may_come_from_dialed(MessageType type) {
  const bool answers = static_cast<uint8_t>(type) % 2 == 1;
  return type > MessageType::kForward && (answers || goes_both_ways(type));
}

// kPong: all coordinators of who answers have a link to who asked.
inline constexpr uint16_t kPongLinked = 1 << 0;

// kGossip, kGossipReply: the digest of the reports goes before them, or instead. Version 11 of the
// protocol tells all reports each time.
inline constexpr uint16_t kGossipDigests = 1 << 0;
inline constexpr uint16_t kGossipDigestsVersion = 12;

// kHeldCopies: since when it is understood.
inline constexpr uint16_t kHeldCopiesVersion = 13;
// kPublish: the same.
inline constexpr uint16_t kPublishVersion = 15;
// From here on each side of a link tells with which version of placement its cluster was founded,
// and knows changes of it. Whoever speaks less has the first placement (server/peers/greeting.h).
inline constexpr uint16_t kPlacementVersion = 13;

// kFindText, kDropTexts: since when they are understood.
inline constexpr uint16_t kTextsVersion = 15;
inline constexpr uint16_t kLibrariesVersion = 16;

// kTrackChanges: the same.
inline constexpr uint16_t kTrackingVersion = 16;

struct FrameHead {
  MessageType type;
  uint8_t keyspace = 0;
  uint16_t flags = 0;
  SlotId operation = 0;
};

// The head of a frame, and the numbers at the front of its payload: put_u8() and its like.
class FrameFront : public FixedBytes<96> {
 public:
  explicit FrameFront(const FrameHead& head) {
    put<uint64_t>(0);  // length and checksum
    put(static_cast<uint8_t>(head.type));
    put(head.keyspace);
    put(head.flags);
    put(head.operation);
  }
};

// Writes a frame into a batch: the front at construction, the rest of the payload by appending to
// out(), length and checksum at finish().
class FrameWriter {
 public:
  FrameWriter(std::string& batch, const FrameHead& head) : FrameWriter(batch, FrameFront(head)) {}
  FrameWriter(std::string& batch, const FrameFront& front) : batch_(batch), start_(batch.size()) {
    batch_.append(front.view());
  }
  std::string& out() { return batch_; }
  void finish();

 private:
  std::string& batch_;
  size_t start_;
};

enum class FrameStatus : uint8_t { kFrame, kNeedMore, kTooLong, kDamaged };

struct Frame {
  FrameHead head;
  std::string_view payload;
  // Of one that came in chunks: when its last one was sent, by the sender's steady clock, and what
  // the payload is, for sharing. Else 0 and none.
  uint64_t sent_us = 0;
  const SharedBytes* owner = nullptr;
};

// Takes the first frame of `bytes`. With kFrame, `size` is what it occupied; with kNeedMore, what
// is needed in all (at least).
FrameStatus parse_frame(std::string_view bytes, Frame* frame, size_t* size);

// The key that a frame is about, as far as a prefetch needs it: position and keyspace. False for
// frames about no key, and for keyspaces that do not exist.
bool peek_key(const Frame& frame, KeyRef* key);

// Both kinds of probe: the answer echoes the operation.
void put_probe(std::string& batch, MessageType type, SlotId operation);

}  // namespace kvorum::cluster
