// SPDX-License-Identifier: Apache-2.0
// Edits: how a command changes a value, as pure functions handed in by the command families. The
// coordinator knows only their code, which travels in forwarded requests, so that an edit runs
// where the key's writes are serialised, inside its critical section. Every node of a cluster
// has the same table (the protocol version of the links stands for it).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cluster/version/object.h"

namespace kvorum::cluster {

struct EditInput {
  const KeyRef& key;
  const Object& object;  // the coordinator's, merged with R replicas' if needs_old
  const InlineVector<Version, 1>& visible;  // what a client would see of it, newest first
  uint64_t now_ms;                          // hybrid clock
  uint64_t origin;  // the request's: of a version in `object` where it ran before
  // Absence proves nothing: another copy may have a value that this one forgot.
  bool may_be_evicted;
  std::string_view argument;  // the edit's own encoding of its options
  std::string_view value;
  uint64_t value_bytes_max = kValueBytesMax;  // of what the edit makes: limits.value
};

struct EditOutput {
  enum class Verdict : uint8_t {
    kStore,   // write a new version
    kKeep,    // nothing to write, but a success (SET NX of an existing key, DEL of a missing one)
    kReject,  // an error whose text stands in reply_bytes
  };
  Verdict verdict = Verdict::kKeep;

  // The new version, for kStore. `bytes` may point into the value, the old object or scratch.
  TypeTag type = TypeTag::kString;
  bool keep_origin = false;  // EXPIRE, PERSIST: the bytes are those of visible[0]
  uint32_t flags = 0;
  uint64_t deadline_ms = 0;
  uint8_t marks = 0;    // with keep_origin: those of visible[0] as well
  uint64_t origin = 0;  // with kMarkNamed: the version's
  std::string_view bytes;

  // What the command's handler makes its reply from; the edit and its handler agree on the meaning.
  uint8_t reply_code = 0;
  int64_t reply_number = 0;
  bool has_reply_bytes = false;
  std::string_view reply_bytes;
};

struct EditRow {
  std::string_view name;
  EditOutput (*apply)(const EditInput& input, std::string& scratch);
  // Reads at R first and merges, so that the edit sees every acknowledged write; else it is blind:
  // it overwrites what the coordinator knows.
  bool needs_old = true;
  // Applying it twice is like once: may be retried through another coordinator.
  bool idempotent = false;
};

using EditTable = std::span<const EditRow>;
using EditCode = uint8_t;  // the number of a row

}  // namespace kvorum::cluster
