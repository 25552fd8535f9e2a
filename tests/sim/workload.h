// SPDX-License-Identifier: Apache-2.0
// What clients do in a run, and what must be true of it afterwards. A workload has clients that
// work one operation at a time until stopped, remembers what they tried and what they were
// answered, and judges the final state. Its subclasses are in workloads.h.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/client.h"

namespace kvorum::sim {

// What a reply says of a write.
enum class Fate : uint8_t {
  kStored,  // acknowledged
  kNever,   // refused: it must not appear
  kMaybe,   // it may appear, now or later
};

struct KeyName {
  uint8_t db = 0;
  std::string key;
  auto operator<=>(const KeyName&) const = default;
};

// The visible values of each key after healing, as a client reads them.
using FinalState = std::map<KeyName, std::vector<std::string>>;

class Workload {
 public:
  Workload(Cluster& cluster, std::string name, uint8_t db);
  virtual ~Workload() = default;

  void add_clients(size_t count, uint64_t seed);
  void start();
  void stop() { stopping_ = true; }
  // Nothing of it is under way, nor will be after stop().
  virtual bool idle() const;
  uint64_t operations() const { return operations_; }

  virtual std::vector<KeyName> keys() const = 0;
  virtual void check(const FinalState& state) = 0;

 protected:
  virtual Client::Habits habits(size_t client) const;
  // Begins the next operation of a client; its end calls next().
  virtual void step(size_t client) = 0;
  void next(size_t client);

  Client& client(size_t index) { return *clients_[index]; }
  // Also reports replies that no healthy server gives.
  Fate fate_of(const RespReply* reply);
  void check_refusal(const RespReply& reply);
  bool asks_for_all(const RespReply& refusal) const;
  // After an acknowledged write on the same connection: on how many nodes it is. `then` is always
  // called. Fewer than the write was promised are a violation: the W that it asked for (0: the
  // keyspace's, which may be softened to hints).
  void ask_copies(size_t client, uint8_t w, std::function<void(const Copies&)> then);
  void ask_copies(size_t client, std::function<void(const Copies&)> then) {
    ask_copies(client, 0, std::move(then));
  }
  void violation(const std::string& text) { cluster_.violation(name_ + ": " + text); }
  uint64_t now_us() const { return cluster_.queue.now_us(); }
  const cluster::EffectiveQuorum quorum() const;
  // The least that was in force at any time.
  const cluster::EffectiveQuorum least() const { return cluster_.swarm.least(db_); }
  // A key of this number whose first primary is that node.
  std::string key_led_by(size_t node, size_t number) const;
  // No fault in this run, and any two write quorums, and a read and a write quorum, overlap.
  bool is_strict() const;
  // A key may be gone at any time.
  bool may_be_evicted() const { return cluster_.swarm.evicts && db_ == kLwwDb; }
  // Only primaries count, and a read has R of them or fails.
  bool reads_primaries() const;
  // So many copies that every read quorum of primaries has one of them.
  bool must_be_read(const Copies& copies, uint64_t began_us) const;

  Cluster& cluster_;
  const std::string name_;
  const uint8_t db_;

 private:
  std::vector<std::unique_ptr<Client>> clients_;
  bool stopping_ = false;
  uint64_t operations_ = 0;
};

std::string join_words(const std::vector<std::string>& words, char separator);

}  // namespace kvorum::sim
