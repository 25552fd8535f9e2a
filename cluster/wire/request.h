// SPDX-License-Identifier: Apache-2.0
// What a coordinator is asked to do and what it answers: the border between cluster/ and the
// command handlers. Bytes in a Request are borrowed during submit(); bytes in a Completion during
// the call.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/position.h"
#include "cluster/ring/cluster_view.h"
#include "cluster/version/edit.h"
#include "cluster/version/object.h"

namespace kvorum::cluster {

struct Request {
  enum class Kind : uint8_t {
    kRead,     // get: all versions that R replicas know
    kEdit,     // put: run `edit` in the key's critical section and replicate
    kLocal,    // this node's own copy, asking nobody
    kInspect,  // every replica's versions, for operators
  };
  Kind kind = Kind::kRead;
  KeyRef key;

  EditCode edit = 0;
  std::string_view argument;
  std::string_view value;
  const SharedBytes* value_owner = nullptr;  // where it may be shared; borrowed likewise
  bool has_context = false;                  // else an edit overwrites what its coordinator knows
  const Context* context = nullptr;          // with has_context; borrowed during submit()
  NodeId preferred = 0;                      // coordinator named by the context token

  // The origin of the version that an edit makes, so that its client can be told its cas unique; 0:
  // as its coordinator likes.
  uint64_t origin = 0;

  uint8_t r = 0, w = 0;        // 0: the keyspace's
  bool strict_w = false;       // w was asked for explicitly: never softened to hints
  uint32_t timeout_ms = 0;     // 0: limits.request_timeout
  bool wants_context = false;  // fill Completion::context for an edit
};

enum class Outcome : uint8_t {
  kOk,
  kRejected,   // by the edit: text is the error
  kNoQuorum,   // nothing was written anywhere, or too few answered a read
  kUncertain,  // some replicas may have it: it may appear later
  kTooManySiblings,
  kNotOwner,     // kLocal on a node that is no primary of the key
  kStoreFailed,  // this node's disk refuses writes
  kOutOfMemory,
  kClusterDown,  // not a member, or starting
};

// Whether running it twice is like once, so that a second coordinator may: reads, and the edits
// whose row says so.
inline bool is_idempotent(const Request& request, EditTable edits) {
  if (request.kind != Request::Kind::kEdit) return true;
  return request.edit < edits.size() && edits[request.edit].idempotent;
}

// How an operation was served, for KV.LASTOP and metrics.
struct ServiceRecord {
  NodeId coordinator = 0;
  uint8_t answered = 0;   // replicas whose answer counted
  uint8_t primaries = 0;  // of them
  uint8_t fallbacks = 0;
  uint8_t hints = 0;    // left for primaries that could not be reached
  uint8_t repairs = 0;  // replicas found stale
  // A write that writes_when_short let pass: by how many copies it missed W. Until its hints are
  // delivered it has `answered` copies.
  uint8_t short_of_w = 0;
  uint8_t hops = 0;  // other nodes that were asked to coordinate; above 1: it was retried
  uint32_t micros = 0;
};

struct ReplicaFacts {  // one row of KV.INSPECT
  NodeId node = 0;
  bool answered = false;
  Object object;  // borrowed bytes
};

struct Completion {
  Outcome outcome = Outcome::kOk;
  std::string_view text;           // of the error, without a code word, where it is not kOk
  const Object* object = nullptr;  // kRead, kLocal: what was read (never null then)
  uint64_t now_ms = 0;             // hybrid clock at the answer, for visibility of versions
  uint8_t reply_code = 0;          // kEdit: as the edit said
  int64_t reply_number = 0;
  bool has_reply_bytes = false;
  std::string_view reply_bytes;
  bool stored = false;                   // kEdit: a new version was written
  const Context* context = nullptr;      // kEdit with wants_context
  NodeId fastest = 0;                    // kRead: who answered first, for the token
  uint8_t acknowledged = 0, needed = 0;  // for the text of kNoQuorum, kUncertain
  ServiceRecord service;
  const std::vector<ReplicaFacts>* replicas = nullptr;  // kInspect
};

// Told of each completion, exactly once per submitted request, perhaps within submit(). Must not
// call back into the coordinator, and is called with a partition locked: format bytes and return.
class CompletionSink {
 public:
  virtual ~CompletionSink() = default;
  virtual void on_complete(uint64_t tag, const Completion& completion) = 0;
};

}  // namespace kvorum::cluster
