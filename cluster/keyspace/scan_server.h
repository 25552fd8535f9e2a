// SPDX-License-Identifier: Apache-2.0
// A member's side of SCAN: walks the partitions for which it is a primary and answers what it holds
// there, in position order, until enough live keys were found, enough records looked at, or the end
// of what was asked for is reached. Where the table is not complete it waits for the store.
#pragma once

#include <optional>
#include <string>

#include "base/slot_map.h"
#include "cluster/keyspace/keyspace_core.h"
#include "cluster/own/scan_page.h"
#include "cluster/wire/keyspace_messages.h"

namespace kvorum::cluster {

class ScanServer {
 public:
  static constexpr uint32_t kShownMax = 8192;        // records looked at per answer
  static constexpr size_t kItemsBytesMax = 1 << 20;  // an answer ends behind this

  explicit ScanServer(KeyspaceCore& core) : core_(core) {}

  // An answer and whom it goes to.
  struct Ready {
    LinkIndex asker;
    SlotId operation = 0;
    bool refused = false;
    uint64_t next = 0;
    std::string items;
    ScanAnswer answer() const { return {refused, next, items}; }
  };

  // The answer, unless it waits for the store. `asker` may be this node itself.
  std::optional<Ready> serve(const ScanQuestion& question, LinkIndex asker, SlotId operation);
  // A page that was waited for. The answer, unless another page is needed.
  std::optional<Ready> on_scanned(SlotId id, const ScanPage& page);
  size_t open() const { return servings_.used(); }

 private:
  struct Serving {
    ScanQuestion question;
    LinkIndex asker;
    SlotId operation;
    uint32_t partition;
    Position from;
    uint32_t live;
    uint32_t shown;
    std::string items;
  };

  std::optional<Ready> walk(SlotId id, Serving& serving);
  void take(Serving& serving, const ScanPage& page);
  void enter(Serving& serving, uint32_t partition);
  Ready finish(SlotId id, Serving& serving, bool refused);

  KeyspaceCore& core_;
  SlotMap<Serving> servings_;
};

}  // namespace kvorum::cluster
