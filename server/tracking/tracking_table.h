// SPDX-License-Identifier: Apache-2.0
// Which clients of one reactor have read which keys, for CLIENT TRACKING. A read is noted before it
// begins, and what it found when it ends, as the digest of its versions: a change that leads to
// just that is no news to who read it. The read that began last counts, since its reply is the last
// one. Bounded: beyond keys_max any key is given up, and its readers are told. A plain value; one
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/slot_map.h"

namespace kvorum::server {

class TrackingTable {
 public:
  // As Redis's tracking-table-max-keys.
  static constexpr size_t kKeysMax = 1'000'000;
  static constexpr size_t kUnbounded = SIZE_MAX;
  using Ticket = uint64_t;  // of a read, never 0

  explicit TrackingTable(size_t keys_max = kKeysMax) : keys_max_(keys_max) {}
  // For keys that come from now on.
  void set_keys_max(size_t keys_max) { keys_max_ = keys_max; }

  Ticket begin(std::string_view key, SlotId client);
  // Nothing where the key changed since, or the client has begun another read of it. 0: what was
  // found is not known.
  void end(std::string_view key, Ticket ticket, uint64_t digest);

  // The key has changed, to versions of this digest; 0: not known. Takes out its readers but for
  // those that have read just that, and adds them to `told`.
  void take(std::string_view key, uint64_t digest, std::vector<SlotId>* told);
  bool overflows() const { return readers_.size() > keys_max_; }
  // REQUIRES: overflows(). Gives up some key, and adds its readers to `told`.
  std::string take_any(std::vector<SlotId>* told);
  // Keeps no memory.
  void clear();

  size_t keys() const { return readers_.size(); }
  // Pairs of a key and a client.
  size_t items() const { return items_; }

 private:
  struct Reader {
    SlotId client = 0;
    Ticket ticket = 0;    // of its last read
    uint64_t digest = 0;  // of what that found; 0: it has not ended, or this is not known
  };
  using Readers = std::vector<Reader>;
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };

  size_t keys_max_;
  std::unordered_map<std::string, Readers, Hash, std::equal_to<>> readers_;
  size_t items_ = 0;
  Ticket last_ticket_ = 0;
};

}  // namespace kvorum::server
