// SPDX-License-Identifier: Apache-2.0
// The workloads of a run. Each states in its comment what it demands, and why it may.
#pragma once

#include <optional>
#include <set>

#include "tests/sim/workload.h"

namespace kvorum::sim {

// Sets kept as siblings (paper 4.4, the cart): read versions and context, write the union and one
// element more under the context. Demands: an element whose write was acknowledged and must survive
// the run's deaths (damage.h) is in one of the final siblings; no element appears that nobody added
// or whose write was refused. Without faults also: a value that an acknowledged write's context
// covered is gone.
class SetWorkload final : public Workload {
 public:
  using Workload::Workload;
  std::vector<KeyName> keys() const override;
  void check(const FinalState& state) override;

 private:
  struct Addition {
    std::string key, element;
    uint64_t began_us = 0;
    Fate fate = Fate::kMaybe;
    Copies copies;
    std::vector<std::string> known;  // the values that its context covered
  };
  void step(size_t client) override;
  void add(size_t client, const std::string& key, const RespReply& read);

  std::vector<Addition> additions_;
};

// Blind SETs of keys that are written once, with a value of their own. Demands: an acknowledged one
// that must survive is read; nothing else ever is under that key.
class UniqueWorkload final : public Workload {
 public:
  using Workload::Workload;
  std::vector<KeyName> keys() const override;
  void check(const FinalState& state) override;

 private:
  struct Write {
    std::string key, value;
    uint64_t began_us = 0;
    Fate fate = Fate::kMaybe;
    Copies copies;
  };
  void step(size_t client) override;

  std::vector<Write> writes_;
};

// Blind SETs of a few keys, each written by one client only. Demands: what is read is something
// that was written and not refused; after an acknowledged write that must survive there is
// something. Without faults and with overlapping quorums: every read, and the final one, gives
// exactly the last write (so a blind write covers what came before it).
class OverwriteWorkload final : public Workload {
 public:
  using Workload::Workload;
  std::vector<KeyName> keys() const override;
  void check(const FinalState& state) override;

 private:
  struct History {
    std::set<std::string> possible;
    std::string last;
    bool must_exist = false;
    std::vector<std::pair<Copies, uint64_t>> acknowledged;  // and when begun
  };
  void step(size_t client) override;
  void write(size_t client, const std::string& key);
  void read(size_t client, const std::string& key);

  std::map<std::string, History> histories_;
  uint64_t next_value_ = 0;
};

// INCR of counters, each by one client only. Demands: never above the attempts (a retry counts
// once). And not below what was acknowledged, each answer above the one before, where the quorums
// overlap and count primaries only, and no node lost what it acknowledged; with sloppy quorums only
// in a run without faults.
class CounterWorkload final : public Workload {
 public:
  using Workload::Workload;
  std::vector<KeyName> keys() const override;
  void check(const FinalState& state) override;

 private:
  struct Counter {
    int64_t attempts = 0, acknowledged = 0, last_answer = 0;
    int64_t step_back = 0;  // an answer that was not above the one before
  };
  void step(size_t client) override;
  bool may_demand_all() const;

  std::map<std::string, Counter> counters_;
};

// Keys written once and then deleted under the context that was read, or given a deadline. Demands:
// once the deletion was acknowledged, and must survive, the value is gone for good; every deadline
// holds once it lies in the past of all clocks. A write that is forwarded may be run twice, and
// late (at a node that was slow, and at another), so each client asks the first primary of its
// keys.
class DeleteWorkload final : public Workload {
 public:
  using Workload::Workload;
  std::vector<KeyName> keys() const override;
  void check(const FinalState& state) override;

 private:
  enum class Way : uint8_t { kContext, kExpire, kBornWithDeadline };
  struct Life {
    std::string key;
    Way way{};
    bool judged = false;  // its end must be final
    uint64_t began_us = 0;
    Copies copies;
  };
  Client::Habits habits(size_t client) const override;
  void step(size_t client) override;
  std::string new_key(size_t client) const;
  void end_life(size_t client, size_t life);
  void delete_with_context(size_t client, size_t life);
  void expire(size_t client, size_t life);
  void note_end(size_t client, size_t life, const RespReply* reply);

  std::vector<Life> lives_;
};

}  // namespace kvorum::sim
