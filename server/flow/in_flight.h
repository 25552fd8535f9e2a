// SPDX-License-Identifier: Apache-2.0
// The bytes in flight of a node, from the parse to the last byte sent: what clients sent and what
// was not run yet, what operations hold, replies that wait for their client, frames to and from
// peers. InFlight is the node's sum, for any thread. An InFlightShare belongs to one reactor:
// holders change it at no more cost than an addition, and it tells the node once a turn. HeldBytes
// is what one holder (a client, a link, a coordinator) holds of one kind.
//
// How much one client may hold depends on what is left: part() is the room that nobody uses, at
// most a sixteenth of the limit, at least a small floor. So those who hold the most wait first, a
// newcomer always finds room, and k greedy clients end up with about limit / (k + 1) each. Who
// holds no more than the floor is never made to wait, hence everybody gets on by what he gives
// back himself, and nobody waits for another one.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace kvorum::server {

enum class HeldFor : uint8_t {
  kRequests,    // received from clients and not run
  kOperations,  // values in operations, and what their replies are expected to need
  kReplies,     // for clients, not sent
  kPeersIn,     // received from peers and not whole
  kPeersOut,    // for peers, not sent
};
inline constexpr size_t kHeldKinds = 5;
inline constexpr const char* kHeldNames[kHeldKinds] = {"requests", "operations", "replies",
                                                       "peers_in", "peers_out"};

class InFlight {
 public:
  static constexpr uint64_t kLimitUsual = 256ULL << 20;

  explicit InFlight(uint64_t limit_bytes) : limit_(limit_bytes) {}
  InFlight(const InFlight&) = delete;

  uint64_t limit() const { return limit_.load(std::memory_order_relaxed); }
  void set_limit(uint64_t bytes) { limit_.store(bytes, std::memory_order_relaxed); }
  uint64_t used() const { return at_least_0(used_.load(std::memory_order_relaxed)); }
  uint64_t used(HeldFor kind) const {
    return at_least_0(by_kind_[static_cast<size_t>(kind)].load(std::memory_order_relaxed));
  }
  void add(HeldFor kind, int64_t bytes) {
    by_kind_[static_cast<size_t>(kind)].fetch_add(bytes, std::memory_order_relaxed);
    used_.fetch_add(bytes, std::memory_order_relaxed);
  }

 private:
  // A reactor may give back what another one has not told of yet.
  static uint64_t at_least_0(int64_t bytes) {
    return static_cast<uint64_t>(std::max<int64_t>(bytes, 0));
  }

  std::atomic<uint64_t> limit_;
  std::atomic<int64_t> used_{0};
  std::array<std::atomic<int64_t>, kHeldKinds> by_kind_{};
};

class InFlightShare {
 public:
  // Whoever holds no more than this is not made to wait.
  static constexpr uint64_t kFloorBytes = 64 * 1024;
  static constexpr int64_t kUntoldMax = 1 << 20;

  // `node` outlives it.
  explicit InFlightShare(InFlight& node) : node_(node) {}
  ~InFlightShare() { tell(); }
  InFlightShare(const InFlightShare&) = delete;

  void change(HeldFor kind, int64_t bytes) {
    untold_[static_cast<size_t>(kind)] += bytes;
    untold_sum_ += bytes;
    has_untold_ = true;
    if (untold_sum_ > kUntoldMax || untold_sum_ < -kUntoldMax) [[unlikely]]
      tell();
  }
  // The node learns of all changes: at the end of a turn.
  void tell() {
    if (!has_untold_) return;
    has_untold_ = false;
    for (size_t kind = 0; kind < kHeldKinds; ++kind) {
      if (untold_[kind] != 0) node_.add(static_cast<HeldFor>(kind), untold_[kind]);
      untold_[kind] = 0;
    }
    untold_sum_ = 0;
  }

  uint64_t limit() const { return node_.limit(); }
  uint64_t used() const {
    const int64_t used = static_cast<int64_t>(node_.used()) + untold_sum_;
    return static_cast<uint64_t>(std::max<int64_t>(used, 0));
  }
  static uint64_t part_max(uint64_t limit) { return std::max(limit / 16, kFloorBytes); }
  // What one client may hold now.
  uint64_t part() const {
    const uint64_t taken = used();
    const uint64_t room = taken < limit() ? limit() - taken : 0;
    return std::clamp(room, kFloorBytes, part_max(limit()));
  }

 private:
  InFlight& node_;
  std::array<int64_t, kHeldKinds> untold_{};
  int64_t untold_sum_ = 0;
  bool has_untold_ = false;
};

// Gives back what it holds when it goes.
class HeldBytes {
 public:
  HeldBytes(InFlightShare& share, HeldFor kind) : share_(share), kind_(kind) {}
  ~HeldBytes() { set(0); }
  HeldBytes(const HeldBytes&) = delete;

  void set(size_t bytes) {
    if (bytes == bytes_) return;
    share_.change(kind_, static_cast<int64_t>(bytes) - static_cast<int64_t>(bytes_));
    bytes_ = bytes;
  }
  size_t bytes() const { return bytes_; }

 private:
  InFlightShare& share_;
  const HeldFor kind_;
  size_t bytes_ = 0;
};

// For operators.
struct Holder {
  std::string who;
  uint64_t bytes = 0;
};
struct ClientMemory {
  static constexpr size_t kLargestMax = 5;

  uint64_t held_bytes = 0;                         // all of them: input, operations, replies
  uint64_t largest_input = 0, largest_output = 0;  // of one
  uint64_t output_closed = 0;                      // clients that took no replies, since start
  uint64_t idle_closed = 0;                        // those that said nothing
  std::vector<Holder> largest;                     // most first

  void add(const ClientMemory& other);
};
struct InFlightStatus {
  uint64_t used = 0, limit = 0;
  std::array<uint64_t, kHeldKinds> by_kind{};
  ClientMemory clients;
  uint64_t client_part = 0;  // the most that one client may hold
  uint64_t client_output_bytes = 0, client_output_wait_ms = 0;
};

InFlightStatus status_of(const InFlight& node);

}  // namespace kvorum::server
