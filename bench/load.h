// SPDX-License-Identifier: Apache-2.0
// The load loop: drives all connections of one phase from one thread over epoll and measures every
// reply.
//
//   closed loop  each connection sends `depth` requests at once, waits for all replies, sends
//   again. open loop    request i is due at start + i/rate whether or not the server keeps up; its
//   latency
//                counts from when it was due, so a stall is charged to every request that it
//                delayed (no coordinated omission). The loop spins while the next one is due within
//                a millisecond.
//
// A phase ends when its operations are issued or its time is over, and all replies have come.
// Connections are borrowed and can be used for the next phase. The first broken connection, or
// silence for the plan's patience, ends the phase with an error.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/status.h"
#include "bench/codec.h"
#include "bench/connection.h"
#include "bench/histogram.h"
#include "bench/key_chooser.h"

namespace kvorum::bench {

struct Mix {
  double get = 1;  // shares; they add up to 1
  double set = 0;
  double increment = 0;
};

struct LoadPlan {
  Mix mix{};
  bool reset_counters = false;  // every operation sets a counter to 0; the mix is ignored
  uint32_t depth = 1;
  uint64_t operations_max = UINT64_MAX;
  uint64_t duration_ns = UINT64_MAX;
  double rate = 0;  // operations per second; 0 = closed loop
  uint64_t patience_ns = 10'000'000'000;
  uint64_t seed = 1;
};

struct Tally {
  uint64_t good = 0;
  uint64_t misses = 0;
  uint64_t wrong = 0;
  uint64_t errors = 0;
  std::string first_error;  // as the server put it

  uint64_t replies() const { return good + misses + wrong + errors; }
};

struct LoadResult {
  Tally tally;
  Histogram latency_ns;
  uint64_t elapsed_ns = 0;  // from the first request to the last reply
};

class Load {
 public:
  Load(const LoadPlan& plan, const Codec& codec, KeyChooser& keys,
       std::vector<Connection>& connections);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  Result<LoadResult> run();

 private:
  Status watch_all();
  Status turn();
  Status on_event(size_t connection, uint32_t events);
  Status read_replies(size_t connection);
  void count(const Reply& reply, std::string_view bytes);
  Status send_batch(size_t connection);
  Status send_due();
  Status flush(size_t connection);
  Operation draw_operation();
  bool may_issue() const;
  uint64_t due_ns(uint64_t index) const;
  int wait_ms() const;
  Status silence() const;

  LoadPlan plan_;
  const Codec& codec_;
  KeyChooser& keys_;
  std::vector<Connection>& connections_;
  std::vector<bool> waits_for_room_;
  Rng rng_;
  int epoll_ = -1;
  uint64_t start_ns_ = 0;
  uint64_t end_ns_ = 0;
  uint64_t now_ns_ = 0;
  uint64_t last_reply_ns_ = 0;
  uint64_t issued_ = 0;
  uint64_t answered_ = 0;
  LoadResult result_;
};

}  // namespace kvorum::bench
