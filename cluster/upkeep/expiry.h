// SPDX-License-Identifier: Apache-2.0
// Empties versions whose deadline has passed, some at a time, as Redis's active expiry does; who
// reads one sooner sees it gone all the same. One coordinator of a node does it. Private to
// cluster/; owned by Control.
#pragma once

#include <string>
#include <vector>

#include "cluster/machine/core.h"
#include "cluster/upkeep/expired_key.h"

namespace kvorum::cluster {

class Expiry {
 public:
  static constexpr size_t kPerTurn = 200;
  static constexpr uint64_t kIntervalUs = 100'000;

  explicit Expiry(Core& core) : core_(core) {}

  void on_time(Now now);
  uint64_t next_deadline_us() const;
  // The keys that expired and that this node is to tell of, if anybody wanted to know; and whether
  // somebody wants to from now on.
  std::vector<ExpiredKey> take_told(bool wanted);

 private:
  bool tells_of(const KeyRef& key) const;
  engine::RecordChange emptied(const KeyRef& key, engine::RecordView bytes, uint64_t now_ms);

  Core& core_;
  // The last change.
  Record record_;
  std::string head_;
  bool told_wanted_ = false;
  std::vector<ExpiredKey> told_;
  uint64_t due_us_ = 0;
  Now last_now_;
};

}  // namespace kvorum::cluster
