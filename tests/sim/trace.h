// SPDX-License-Identifier: Apache-2.0
// What happened in a run, as a hash: every delivered event and every reply goes in, so two runs of
// one seed are equal exactly when their hashes are. On demand also as text, a line per event.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string_view>

#include "base/hash.h"

namespace kvorum::sim {

class Trace {
 public:
  // With `out` each event is written there too.
  explicit Trace(std::FILE* out = nullptr) : out_(out) {}

  // `what` is a literal, `where` a node or a client, `number` and `bytes` what the event carries.
  struct Event {
    const char* what;
    uint64_t where = 0;
    uint64_t number = 0;
    std::string_view bytes = {};
  };
  void note(uint64_t now_us, const Event& event) {
    const uint64_t parts[4] = {hash_, now_us, event.where, event.number};
    const std::string_view packed(reinterpret_cast<const char*>(parts), sizeof parts);
    hash_ = hash_seeded(packed, hash_seeded(event.bytes, hash_seeded(event.what, 1)));
    ++events_;
    if (out_) write(now_us, event);
  }

  uint64_t hash() const { return hash_; }
  uint64_t events() const { return events_; }
  bool is_text() const { return out_ != nullptr; }

 private:
  void write(uint64_t now_us, const Event& event) const;

  std::FILE* out_;
  uint64_t hash_ = 0;
  uint64_t events_ = 0;
};

}  // namespace kvorum::sim
