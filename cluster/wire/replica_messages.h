// SPDX-License-Identifier: Apache-2.0
// What a coordinator asks of a replica, and what the replica answers: reads, writes, ends of
// claims. Borrowed bytes: those of a message that is put, during the call; those of a parsed one,
// in the frame.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cluster/version/object.h"
#include "cluster/wire/frame.h"

namespace kvorum::cluster {

// ReplicaRead: what the asker wants back. ReplicaWrite: who the write is for.
inline constexpr uint16_t kReadFull = 1 << 0;    // the object, not only the digest of its versions
inline constexpr uint16_t kReadHinted = 1 << 1;  // asked as a fallback: answer from hints
inline constexpr uint16_t kReadNotWhole = 1 << 2;  // of the answer: the copy may lack writes
inline constexpr uint16_t kReadFrontier = 1 << 3;  // of the answer: the copy's frontier is in it
inline constexpr uint16_t kReadNew = 1 << 4;     // of the answer: not whole, but it forgot nothing
inline constexpr uint16_t kReadClaims = 1 << 5;  // the asker is going to edit (claims.h)
inline constexpr uint16_t kReadContested = 1 << 6;  // of the answer: Claims::contested()
inline constexpr uint16_t kReadFenced = 1 << 7;     // the signature of the partition is in it
// In both: which of its readings an operation asked for, so that no late answer counts for another.
inline constexpr int kAttemptShift = 8;
inline constexpr uint16_t kWriteBlind = 1 << 0;   // tell me what you keep that this did not cover
inline constexpr uint16_t kWriteHinted = 1 << 1;  // keep it as a hint for the member in the payload
inline constexpr uint16_t kWriteRepair = 1 << 2;  // read repair or hint replay: no client waits
inline constexpr uint16_t kWriteSecond = 1 << 3;  // the second write of a blind one; echoed
inline constexpr uint16_t kWriteFrontier = 1 << 4;  // a repair by a copy whose frontier is in it
inline constexpr uint16_t kWriteReleases = 1 << 5;  // ends a claim; the attempt as in the reads
inline constexpr uint16_t kWriteFenced = 1 << 6;    // the signature of the partition is in it
inline constexpr uint16_t kWriteLate = 1 << 7;  // made for other owners: is another edit beside it?

// What a replica says to a write or a read.
enum class ReplicaVerdict : uint8_t {
  kOk = 0,
  // Write taken; the payload is the vector of versions that a blind one did not cover. A late one
  // stands beside another edit's.
  kUncovered = 1,
  kAbsent = 2,   // read: nothing here
  kRefused = 3,  // the store failed, memory is full: counts as a definite no
  kNotHeld = 4,  // read from a fallback that has no hint for the key
  kDead = 5,     // write: some of it lies below the frontier of this copy, which lacks it
  kClaimed = 6,  // read: another node has claimed the key
  // Fenced: this node and the sender know different histories of the partition. Or a late edit of a
  // key that another node has claimed. To be asked again in a moment.
  kApart = 7,
};

struct ReplicaRead {
  KeyRef key;
  bool full = false;
  bool hinted = false;
  uint8_t attempt = 0;
  NodeId claimant = 0;     // who claims the key; 0: nobody
  uint32_t claim_ms = 0;   // for so long
  uint64_t signature = 0;  // ClusterView::signature() of the sender; 0: it is not fenced
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
  bool late = false;        // an edit that was made before its owners were these
  NodeId hint_for = 0;      // 0: the receiver is a primary
  Hlc frontier{};           // of the copy that it comes from (a repair), zero: not known
  NodeId releases = 0;      // whose claim it ends; 0: it had none
  uint8_t attempt = 0;      // of the reading that claimed
  uint64_t signature = 0;   // as in ReplicaRead
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

}  // namespace kvorum::cluster
