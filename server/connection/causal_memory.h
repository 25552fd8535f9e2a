// SPDX-License-Identifier: Apache-2.0
// What a connection with KV.CAUSAL ON has read: the context of each key, so that its plain SET
// replaces exactly what its GET saw. Bounded: past the limit the oldest key is forgotten, and a SET
// of it is an ordinary one again. Owned by a connection; the reactor's thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>

#include "base/position.h"
#include "cluster/version/object.h"

namespace kvorum::server {

class CausalMemory {
 public:
  static constexpr size_t kKeysMax = 4096;

  explicit CausalMemory(size_t keys_max = kKeysMax) : keys_max_(keys_max) {}

  void remember(const KeyRef& key, const cluster::Context& context);
  void forget(const KeyRef& key);
  // Null where nothing is known. Valid until the next call.
  const cluster::Context* find(const KeyRef& key);
  size_t size() const { return contexts_.size(); }

 private:
  struct Known {
    cluster::Context context;
    uint64_t number = 0;  // tells a key's present entry from a forgotten one in order_
  };
  const std::string& name_of(const KeyRef& key);
  void drop_oldest();

  const size_t keys_max_;
  std::unordered_map<std::string, Known> contexts_;  // never iterated
  std::deque<std::pair<std::string, uint64_t>> order_;
  uint64_t next_number_ = 0;
  std::string name_;
};

}  // namespace kvorum::server
