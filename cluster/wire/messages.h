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
#include "base/slot_map.h"
#include "cluster/wire/operation.h"

namespace kvorum::cluster {

inline constexpr uint16_t kProtocolVersion = 8;
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
  kProbe = 14,  // are you there: the operation is the asker's clock; no payload
  kProbeReply = 15,
  kForwardLeave = 16,  // whether, and for how long, a retry may begin (retry_leave.h)
  kForwardAsk = 17,    // the question, from the node that has the kForward
  kUnclaim = 18,       // what a kReplicaRead claimed is not needed any more (claims.h); no answer
  kStoppingSeen = 20,  // of kStopping: nothing that was asked comes after it; no answer
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
};

// kPong: all coordinators of who answers have a link to who asked.
inline constexpr uint16_t kPongLinked = 1 << 0;

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

// ReplicaRead: what the asker wants back. ReplicaWrite: who the write is for.
inline constexpr uint16_t kReadFull = 1 << 0;    // the object, not only the digest of its versions
inline constexpr uint16_t kReadHinted = 1 << 1;  // asked as a fallback: answer from hints
inline constexpr uint16_t kReadNotWhole = 1 << 2;  // of the answer: the copy may lack writes
inline constexpr uint16_t kReadFrontier = 1 << 3;  // of the answer: the copy's frontier is in it
inline constexpr uint16_t kReadNew = 1 << 4;     // of the answer: not whole, but it forgot nothing
inline constexpr uint16_t kReadClaims = 1 << 5;  // the asker is going to edit (claims.h)
inline constexpr uint16_t kReadContested = 1 << 6;  // of the answer: Claims::contested()
// In both: which of its readings an operation asked for, so that no late answer counts for another.
inline constexpr int kAttemptShift = 8;
inline constexpr uint16_t kWriteBlind = 1 << 0;   // tell me what you keep that this did not cover
inline constexpr uint16_t kWriteHinted = 1 << 1;  // keep it as a hint for the member in the payload
inline constexpr uint16_t kWriteRepair = 1 << 2;  // read repair or hint replay: no client waits
inline constexpr uint16_t kWriteSecond = 1 << 3;  // the second write of a blind one; echoed
inline constexpr uint16_t kWriteFrontier = 1 << 4;  // a repair by a copy whose frontier is in it
inline constexpr uint16_t kWriteReleases = 1 << 5;  // ends a claim; the attempt as in the reads

// What a replica says to a write or a read.
enum class ReplicaVerdict : uint8_t {
  kOk = 0,
  kUncovered = 1,  // write taken; the payload is the vector of versions that it did not cover
  kAbsent = 2,     // read: nothing here
  kRefused = 3,    // the store failed, memory is full: counts as a definite no
  kNotHeld = 4,    // read from a fallback that has no hint for the key
  kDead = 5,       // write: some of it lies below the frontier of this copy, which lacks it
  kClaimed = 6,    // read: another node has claimed the key
};

struct ReplicaRead {
  KeyRef key;
  bool full = false;
  bool hinted = false;
  uint8_t attempt = 0;
  NodeId claimant = 0;    // who claims the key; 0: nobody
  uint32_t claim_ms = 0;  // for so long
};
void put_replica_read(std::string& batch, SlotId operation, const ReplicaRead& message);
bool parse_replica_read(const Frame& frame, ReplicaRead* message);

struct ReplicaReadReply {
  ReplicaVerdict verdict = ReplicaVerdict::kOk;
  bool full = false;
  bool whole = true;    // the copy counts toward R (whole_replicas.h)
  bool is_new = false;  // it is not whole, but forgot nothing (former_placements.h)
  bool contested = false;
  uint8_t attempt = 0;      // of the question
  NodeId holder = 0;        // with kClaimed
  Hlc frontier;             // of the copy, where full or absent; zero: nothing is known
  uint64_t digest = 0;      // versions_digest()
  std::string_view object;  // portable form, where full; of one that is sent with a body apart,
                            // what comes before that
  const SharedBytes* owner = nullptr;  // of one that came: of `object`
};
void put_replica_read_reply(std::string& batch, SlotId operation, const ReplicaReadReply& message);
bool parse_replica_read_reply(const Frame& frame, ReplicaReadReply* message);

struct ReplicaWrite {
  KeyRef key;
  bool blind = false;
  bool repair = false;
  bool second = false;
  NodeId hint_for = 0;      // 0: the receiver is a primary
  Hlc frontier{};           // of the copy that it comes from (a repair), zero: not known
  NodeId releases = 0;      // whose claim it ends; 0: it had none
  uint8_t attempt = 0;      // of the reading that claimed
  std::string_view object;  // portable form
};
void put_replica_write(std::string& batch, SlotId operation, const ReplicaWrite& message);
bool parse_replica_write(const Frame& frame, ReplicaWrite* message);

struct ReplicaWriteReply {
  ReplicaVerdict verdict = ReplicaVerdict::kOk;
  bool second = false;
  std::string_view vector;  // encode_context() of the uncovered object's vector
  Hlc frontier;             // with kDead
};
void put_replica_write_reply(std::string& batch, SlotId operation,
                             const ReplicaWriteReply& message);
bool parse_replica_write_reply(const Frame& frame, ReplicaWriteReply* message);

// The end of a claim without a write: `operation` and `attempt` are those of its kReplicaRead.
struct Unclaim {
  Position position;
  NodeId claimant = 0;
  uint8_t attempt = 0;
};
void put_unclaim(std::string& batch, SlotId operation, const Unclaim& message);
bool parse_unclaim(const Frame& frame, Unclaim* message);

// Both kinds of probe: the answer echoes asked_us.
void put_probe(std::string& batch, MessageType type, uint64_t asked_us);

// A client's request, travelling: Request with what the asking node fixed for all its retries.
struct ForwardedRequest {
  Request request;
  Context context;  // request.context points here after parsing
  uint64_t origin = 0;
};
// The payload alone: kept by the asking node for retries, and by a coordinator while it waits.
void encode_forwarded(const Request& request, uint64_t origin, std::string& payload);
// Views into `payload`.
bool parse_forwarded(uint8_t keyspace, std::string_view payload, ForwardedRequest* message);

struct ForwardEnvelope {
  uint8_t keyspace = 0;
  uint8_t hops = 0;           // nodes that passed it on, the asking one included
  bool retried = false;       // another coordinator may have run it
  uint32_t remaining_ms = 0;  // until the asking node gives up
  uint64_t sent_us = 0;       // by the sender's steady clock (transit_time.h)
};
void put_forward(std::string& batch, SlotId operation, const ForwardEnvelope& envelope,
                 std::string_view payload);
bool parse_forward_envelope(const Frame& frame, ForwardEnvelope* envelope,
                            std::string_view* payload);
// How long it may lie before it is run: what may be run twice is given to another coordinator after
// a quarter of its time.
uint64_t patience_us(const ForwardEnvelope& envelope, const Request& request, EditTable edits);

// A coordinator's question before it runs a retry: `operation` is the forwarding node's, `slot`
// what its answer goes to.
void put_forward_ask(std::string& batch, SlotId operation, SlotId slot);
bool parse_forward_ask(const Frame& frame, SlotId* slot);
// The time that its client still waits; 0: it must not run.
void put_forward_leave(std::string& batch, SlotId slot, uint64_t remaining_us);
bool parse_forward_leave(const Frame& frame, uint64_t* remaining_us);

// A Completion, travelling back. `storage` keeps what the completion's pointers point to.
struct CompletionStorage {
  Object object;
  Context context;
  std::vector<ReplicaFacts> replicas;
};
// `ends_before_object`: the completion's object is left out; it is sent behind the frame's bytes.
void put_forward_reply(std::string& batch, SlotId operation, const Completion& completion,
                       bool ends_before_object = false);
bool parse_forward_reply(const Frame& frame, CompletionStorage* storage, Completion* completion);

}  // namespace kvorum::cluster
