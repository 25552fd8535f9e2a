// SPDX-License-Identifier: Apache-2.0
// The effects of a machine's input that the shell (server/ or the simulator) carries out after each
// turn: frames to peers, gathered per peer so that a turn costs one send each, and objects to load.
// Completions do not wait here: they go to the CompletionSink at once, while their bytes are valid.
#pragma once

#include <string>
#include <vector>

#include "base/position.h"
#include "base/slot_map.h"
#include "base/time.h"
#include "cluster/ring/member.h"
#include "cluster/wire/changed_keys.h"
#include "cluster/wire/frame_chunks.h"
#include "cluster/wire/link_index.h"

namespace kvorum::cluster {

// An object that an operation needs and the table does not hold: to be loaded from the store by a
// store thread, then answered with Coordinator::on_loaded(operation).
struct Load {
  SlotId operation = 0;
  std::string key;
  Position position;
  uint8_t keyspace = 0;

  KeyRef ref() const { return KeyRef{key, position, keyspace}; }
};

// A stretch of a partition that is needed of a table that is not complete: to be read with
// read_stored_page() on a store thread, then answered with Coordinator::on_scanned().
struct RangeLoad {
  // Whose `operation` it is; the page brings it back.
  enum class Reader : uint8_t {
    kScan,            // scan_server.h
    kExchangeAsker,   // exchange_asker.h
    kExchangeServer,  // exchange_server.h
    kTreeKeeper,      // tree_keeper.h: no objects are wanted, but a stretch of a hash tree built
    kMarkSweeper,     // mark_sweeper.h: nor here, but what flush marks cover is dropped
    kRangeDropper,    // range_dropper.h: nor here, but all of it is dropped
  };
  SlotId operation = 0;
  uint8_t keyspace = 0;
  uint32_t partition = 0;
  Position from;
  size_t count_min = 0;
  uint64_t end = 0;  // of position.high, exclusive; 0: the partition's end
  Reader reader = Reader::kScan;
  bool values = false;  // objects that are not large are wanted whole
};

// A version that was dropped because a complete copy knows it to be dead (object.h): it came back
// with a restored directory, say. For the shell to keep where a person can find it.
struct Quarantined {
  std::string key;
  uint8_t keyspace = 0;
  Hlc hlc;
  uint64_t node = 0;  // that made the version
  std::string bytes;
};

class Outbox {
 public:
  // Where frames for a link are appended (cluster/wire/frame.h). Marks it as having mail.
  std::string& frames(LinkIndex link) {
    std::string& batch = batches_.at(link);
    if (batch.empty()) addressed_.push_back(link);
    return batch;
  }

  // The links with frames since the last clear_addressed(), in order of first mention. The shell
  // swaps their batch() against an empty string, to reuse its memory.
  const std::vector<LinkIndex>& addressed() const { return addressed_; }
  std::string& batch(LinkIndex link) { return batches_.at(link); }
  size_t waiting_bytes(LinkIndex link) const {
    const std::string* const batch = batches_.find(link);
    return batch == nullptr ? 0 : batch->size();
  }
  void clear_addressed() { addressed_.clear(); }

  // Frames that are too long for a batch, where the shell cuts them into chunks (frame_chunks.h);
  // else all go to frames().
  struct Large {
    LinkIndex to;
    LargeFrame frame;
  };
  bool takes_large = false;
  std::vector<Large> large;

  std::vector<Load> loads;
  std::vector<RangeLoad> range_loads;
  std::vector<Quarantined> quarantined;
  ChangedKeys changed;

  bool empty() const {
    return addressed_.empty() && large.empty() && loads.empty() && range_loads.empty() &&
           quarantined.empty() && changed.empty();
  }

 private:
  ByLink<std::string> batches_;
  std::vector<LinkIndex> addressed_;
};

}  // namespace kvorum::cluster
