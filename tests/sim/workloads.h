// SPDX-License-Identifier: Apache-2.0
// The workloads of a run. Each states in its comment what it demands, and why it may.
#pragma once

#include <set>

#include "tests/sim/causality.h"
#include "tests/sim/workload.h"

namespace kvorum::sim {

// Sets kept as siblings (paper 4.4, the cart): read versions and context, write the union and one
// element more under the context; now and then under none, which makes a sibling, and with a W of
// its own. Demands: an element whose write was acknowledged and must survive the run's deaths
// (damage.h) is in one of the final siblings, and where quorums of primaries overlap in every read
// that began after; no element appears that nobody added or whose write was refused; siblings are
// concurrent; what a client wrote is known to the contexts that it reads afterwards; a dot names
// one write. Without faults also: a value that an acknowledged write's context covered is gone.
class SetWorkload final : public Workload {
 public:
  using Workload::Workload;
  std::vector<KeyName> keys() const override;
  void check(const FinalState& state) override;

 private:
  struct Addition {
    std::string key, element, value;
    uint64_t began_us = 0;
    uint64_t ended_us = 0;  // 0: not acknowledged
    Fate fate = Fate::kMaybe;
    Copies copies;
    std::vector<std::string> known;  // the values that its context covered
  };
  // What a client wrote last under a key.
  struct Written {
    size_t addition = 0;
    cluster::Context context;
  };
  void step(size_t client) override;
  // Under the context of what was read, or under none.
  void add(size_t client, const std::string& key, const RespReply* read);
  void note_put(size_t client, size_t addition, uint8_t w, const RespReply* reply);
  void note_stored(size_t client, size_t addition, const std::string& token);
  void check_read(size_t client, const std::string& key, uint64_t began_us, const RespReply& read);
  void check_context(size_t client, const std::string& key, const std::string& token);

  std::vector<Addition> additions_;
  std::map<std::string, CausalHistory> histories_;
  std::map<std::pair<size_t, std::string>, Written> written_;  // by client and key
  std::set<std::pair<std::string, std::string>> dots_;         // by key: each was minted once
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
    std::set<std::string> unsure;                           // what may have come after it
    std::vector<std::pair<Copies, uint64_t>> acknowledged;  // and when begun
  };
  void step(size_t client) override;
  void write(size_t client, const std::string& key);
  void read(size_t client, const std::string& key);
  bool is_last(const History& history, const std::vector<std::string>& values) const;

  std::map<std::string, History> histories_;
  uint64_t next_value_ = 0;
};

// Puts and deletes of a few keys under the context of what was read, and blind SETs, in the
// keyspace where the last write wins, by several clients. Demands: a read gives one value or none;
// in the end no value stands that the writer of an acknowledged one had read (or whose past had),
// however wrong the clocks are; nor one with an older dot than that of an acknowledged write, a
// delete among them; what is gone was deleted, or evicted. Without faults, and with overlapping
// quorums, each read says so already; and where keys are evicted each read that must have met the
// acknowledged write.
class LastWriteWorkload final : public Workload {
 public:
  using Workload::Workload;
  std::vector<KeyName> keys() const override;
  void check(const FinalState& state) override;

 private:
  struct Write {
    std::string key, value;  // empty: a delete
    uint64_t began_us = 0;
    uint64_t ended_us = 0;  // 0: not acknowledged
    Fate fate = Fate::kMaybe;
    Copies copies;
    std::set<std::string> past;
    Hlc dot;  // as its token tells; zero where there is none
  };
  void step(size_t client) override;
  void write(size_t client, const std::string& key, const RespReply* read);
  void remove(size_t client, const std::string& key);
  void note_past(Write& write, const std::string& value);
  void note_written(size_t client, size_t number, const RespReply* reply);
  void check_read(const std::string& key, uint64_t began_us, const RespReply& read);
  static bool excludes(const Write& other, const Write& last);
  void check_key(const std::string& key, const std::vector<std::string>& values);

  std::vector<Write> writes_;
};

// Large values under many names, some a second, so that other keys have to go. Demands: what is
// there was written there.
class FillWorkload final : public Workload {
 public:
  using Workload::Workload;
  std::vector<KeyName> keys() const override;
  void check(const FinalState& state) override;

 private:
  void step(size_t client) override;

  std::map<std::string, std::set<std::string>> written_;  // by key
};

// INCR of counters, each by one client only, of which every third says it in Lua. Demands: never
// above the attempts (a retry counts once). And not below what was acknowledged, each answer above
// the one before, where the quorums overlap and count primaries only, and no node lost what it
// acknowledged; with sloppy quorums only in a run without faults.
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

// A limiter in Lua, as limiters for Redis are written, that all clients ask for the same few keys
// in a peaceful run. Demands: it lets exactly its limit through where so many asked.
class LimiterWorkload final : public Workload {
 public:
  using Workload::Workload;
  std::vector<KeyName> keys() const override;
  void check(const FinalState& state) override;

 private:
  struct Limiter {
    int64_t asked = 0, let_through = 0, uncertain = 0;
  };
  void step(size_t client) override;

  std::map<std::string, Limiter> limiters_;
  uint64_t asked_ = 0;
};

// Keys written once and then deleted, under the context that was read or by what the coordinator
// reads, or given a deadline. Demands:
// once the deletion was acknowledged, and must survive, the value is gone for good; every deadline
// holds once it lies in the past of all clocks. Requests that are retried and run late included.
class DeleteWorkload final : public Workload {
 public:
  using Workload::Workload;
  std::vector<KeyName> keys() const override;
  void check(const FinalState& state) override;

 private:
  enum class Way : uint8_t { kContext, kDel, kExpire, kBornWithDeadline };
  struct Life {
    std::string key;
    Way way{};
    bool judged = false;   // its end must be final
    bool at_home = false;  // who led the key was asked to write it
    uint64_t began_us = 0;
    Copies copies;
  };
  bool roams() const;
  bool leads_at_home(size_t index, const std::string& key) const;
  bool asked_home(size_t index);
  bool idle() const override { return ends_due_ == 0 && Workload::idle(); }
  Client::Habits habits(size_t client) const override;
  void step(size_t client) override;
  void end_life(size_t client, size_t life);
  void delete_with_context(size_t client, size_t life);
  void end_by(size_t client, size_t life, std::vector<std::string> words);
  void note_end(size_t client, size_t life, const RespReply* reply);

  std::vector<Life> lives_;
  size_t ends_due_ = 0;  // lives whose end is a pause away
};

// memcached clients that count with gets and cas, several to a key. Demands: never above the
// attempts that were not refused, in any read. Without faults and with overlapping quorums: exactly
// what was answered STORED (so a cas that lost a race is never stored).
class CasWorkload final : public Workload {
 public:
  using Workload::Workload;
  std::vector<KeyName> keys() const override;
  void check(const FinalState& state) override;

 private:
  struct Count {
    int64_t attempts = 0, stored = 0;
  };
  struct Swap {
    int64_t value = 0;
    int64_t unique = 0;
  };
  Client::Habits habits(size_t client) const override;
  void step(size_t client) override;
  void begin(size_t client, const std::string& key);
  void swap(size_t client, const std::string& key, const Swap& wanted);
  void note(const std::string& key, const RespReply* reply);

  std::map<std::string, Count> counts_;
};

// What several clients do to the same keys in a peaceful run: INCR, APPEND, SETNX, SET, and INCR
// with SET and DEL mixed; and plain GETs of all. Demands that nobody is told of siblings, nor that
// there are any in the end at any node; that no two INCRs had one answer, that counters and
// appended words are what was acknowledged (and perhaps what was UNCERTAIN), and that one SETNX of
// a key won, whose value it has.
class SharedWorkload final : public Workload {
 public:
  using Workload::Workload;
  std::vector<KeyName> keys() const override;
  void check(const FinalState& state) override;

 private:
  enum class Kind : uint8_t { kCount, kAppend, kFirst, kSet, kMixed, kKinds };
  struct Story {
    Kind kind{};
    std::set<std::string> stored, maybe;  // words appended, values set, answers of INCR
    int64_t uncertain = 0;
  };
  void step(size_t client) override;
  std::vector<std::string> command(Kind kind, const std::string& key, const std::string& word,
                                   Rng& rng) const;
  void note(const std::string& key, const std::string& word, const RespReply* reply);
  void check_appended(const std::string& key, const Story& story, const std::string& value);
  void check_key(const std::string& key, const Story& story,
                 const std::vector<std::string>& values);

  std::map<std::string, Story> stories_;
  uint64_t next_word_ = 0;
};

// Keys written once, and now and then FLUSHDB, in a keyspace of its own. Demands: what was
// acknowledged before a flush that every node answered stays away, whatever the clocks say; what
// was written after all flushes had ended is there. As above, each client asks first primaries.
class FlushWorkload final : public Workload {
 public:
  using Workload::Workload;
  std::vector<KeyName> keys() const override;
  void check(const FinalState& state) override;

 private:
  struct Write {
    std::string key;
    uint64_t began_us = 0, ended_us = 0;
    Fate fate = Fate::kMaybe;
    Copies copies;
  };
  struct Flush {
    uint64_t began_us = 0, ended_us = UINT64_MAX;
    bool covers_all = false;
  };
  Client::Habits habits(size_t client) const override;
  void step(size_t client) override;
  void write(size_t client);
  void flush(size_t client);
  bool all_reachable() const;

  std::vector<Write> writes_;
  std::vector<Flush> flushes_;
};

}  // namespace kvorum::sim
