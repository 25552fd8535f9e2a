// SPDX-License-Identifier: Apache-2.0
// Reachable states of one key, for property tests: replicas that write, merge, forget and restart
// as nodes do, each with a ghost that the algebra never sees: its true causal past, dot by dot.
// From ghosts alone follows which versions must be there; the algebra has to agree with only a
// vector.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/inline_vector.h"
#include "cluster/version/context.h"
#include "cluster/version/object.h"

namespace kvorum::cluster::fixtures {

struct DotOrder {
  bool operator()(const Dot& a, const Dot& b) const {
    return std::tie(a.actor, a.hlc) < std::tie(b.actor, b.hlc);
  }
};
using Dots = std::set<Dot, DotOrder>;

inline bool same_version(const Version& a, const Version& b) {
  return a.dot == b.dot && a.type == b.type && a.flags == b.flags && a.marks == b.marks &&
         a.deadline_ms == b.deadline_ms && a.origin == b.origin && a.retried == b.retried &&
         a.bytes == b.bytes;
}

inline bool same_spent(const SpentOrigin& a, const SpentOrigin& b) {
  return a.origin == b.origin && a.dot == b.dot && a.replaced == b.replaced;
}

inline bool same_object(const Object& a, const Object& b) {
  return a.vector == b.vector && a.versions.size() == b.versions.size() &&
         std::equal(a.versions.begin(), a.versions.end(), b.versions.begin(), same_version) &&
         std::equal(a.outvoted.begin(), a.outvoted.end(), b.outvoted.begin(), b.outvoted.end(),
                    same_version) &&
         std::equal(a.spent.begin(), a.spent.end(), b.spent.begin(), b.spent.end(), same_spent);
}

inline Dots dots_of(const Object& object) {
  Dots dots;
  for (const Version& version : object.versions) dots.insert(version.dot);
  return dots;
}

struct Replica {
  Object object;
  Hlc own_birth;
  uint64_t incarnation = 0;
  Dots past;  // the ghost
};

// A client's context with its ghost. Detached dots are known only where the replica knows them.
struct Knowledge {
  Context context;
  Dots past;  // of the context's vector
};

// One step, drawn by rapidcheck: numbers are taken modulo what there is.
struct Step {
  uint8_t kind = 0, replica = 0, other = 0, choice = 0;
};

struct HistoryOptions {
  bool lww = false;
  bool above_context = false;  // dots are minted above every HLC that the write covers
  bool forgets = true;
  bool tombstones = true;
  bool twins = false;  // requests are given to several coordinators
};

class History {
 public:
  static constexpr size_t kReplicas = 4;

  explicit History(HistoryOptions options) : options_(options), replicas_(kReplicas) {
    for (Replica& replica : replicas_) replica.incarnation = ++incarnations_;
    clients_.push_back({});
  }

  void run(const std::vector<Step>& steps) {
    for (const Step& step : steps) take(step);
  }

  void take(const Step& step) {
    const size_t at = step.replica % kReplicas;
    const size_t other = step.other % kReplicas;
    ++time_;
    switch (step.kind % 12) {
      case 0:
      case 1:
      case 2:
        write(at, recent_client(step.choice), step);
        break;
      case 3:
      case 4:
        write(at, Knowledge{context_of(replicas_[at].object), replicas_[at].past}, step);
        break;
      case 5:
        write(at, {}, step);
        break;
      case 6:
        clients_.push_back({context_of(replicas_[at].object), replicas_[at].past});
        break;
      case 7:
      case 8:
      case 9:
        pull(at, other);
        break;
      case 10:
        if (options_.forgets) forget(at, step);
        break;
      case 11:
        skews_[at] = step.choice % 2 ? step.choice * 40u : 0;
        break;
    }
    states_.push_back(replicas_[at].object);
    pasts_.push_back(replicas_[at].past);
  }

  void pull(size_t at, size_t other) {
    replicas_[at].object = join(replicas_[at].object, replicas_[other].object);
    replicas_[at].past.insert(replicas_[other].past.begin(), replicas_[other].past.end());
  }

  Object join(const Object& a, const Object& b) const {
    Object merged = merge(a, b);
    if (options_.lww) keep_newest(merged);
    return merged;
  }

  // What must be there by the ghosts alone: versions of the past that none of the past knew.
  Dots alive(const Dots& past) const {
    Dots dots = past;
    for (const Dot& dot : past) {
      for (const Dot& known : knew_.at(dot)) dots.erase(known);
    }
    return dots;
  }

  std::vector<Replica>& replicas() { return replicas_; }
  const std::deque<Object>& states() const { return states_; }
  const Dots& past_of_state(size_t state) const { return pasts_[state]; }

  static Context context_of(const Object& object) { return Context{object.vector, {}}; }

  // The dot of the write, which joins the clients' contexts.
  Dot write(size_t at, const Knowledge& client, const Step& step) {
    Replica& replica = replicas_[at];
    Version version;
    version.dot = mint(at, client.context);
    version.bytes = values_.emplace_back("v" + std::to_string(values_.size()));
    if (options_.tombstones && step.choice % 5 == 0) {
      version.type = TypeTag::kTombstone;
      version.bytes = {};
    } else if (step.choice % 5 == 1) {
      version.deadline_ms = 1000 + step.choice;
    }
    if (options_.twins) {
      version.origin = 1 + step.choice % 7;
      version.retried = step.other % 2;
      if (replica.object.find_spent(version.origin)) version.origin = 100 + time_;
    }
    Dots& knew = knew_[version.dot];
    knew = client.past;
    for (const Dot& dot : client.context.detached) {
      if (replica.past.count(dot)) knew.insert(dot);
    }
    update(replica.object, client.context, version);
    if (options_.lww) keep_newest(replica.object);
    replica.past.insert(client.past.begin(), client.past.end());
    replica.past.insert(version.dot);
    clients_.push_back({context_after_put(client.context, version.dot), client.past});
    return version.dot;
  }

 private:
  const Knowledge& recent_client(uint8_t choice) const {
    const size_t window = std::min<size_t>(clients_.size(), 6);
    return clients_[clients_.size() - 1 - choice % window];
  }

  Dot mint(size_t at, const Context& context) {
    Replica& replica = replicas_[at];
    Dot dot{{at + 1, replica.incarnation, replica.own_birth}, Hlc::from_ms(time_ + skews_[at])};
    dot.hlc = std::max(dot.hlc, clocks_[at].next());
    if (options_.above_context) {
      for (const VectorEntry& entry : context.vector) dot.hlc = std::max(dot.hlc, entry.hlc.next());
      for (const VectorEntry& entry : replica.object.vector) {
        dot.hlc = std::max(dot.hlc, entry.hlc.next());
      }
    }
    const VectorEntry* own =
        replica.own_birth.value ? replica.object.vector.find(dot.actor) : nullptr;
    if (own) {
      dot.hlc = std::max(dot.hlc, own->hlc.next());
    } else {
      dot.actor.birth = replica.own_birth = dot.hlc;
    }
    clocks_[at] = std::max(clocks_[at], dot.hlc);
    return dot;
  }

  // Handed off and dropped, or restarted from what an earlier moment had synced.
  void forget(size_t at, const Step& step) {
    Replica& replica = replicas_[at];
    if (step.choice % 2 == 0 || states_.empty()) {
      replica = Replica{{}, {}, replica.incarnation, {}};
      return;
    }
    const size_t state = step.other % states_.size();
    replica = Replica{states_[state], {}, ++incarnations_, pasts_[state]};
  }

  HistoryOptions options_;
  std::vector<Replica> replicas_;
  std::map<size_t, Hlc> clocks_;
  std::map<size_t, uint64_t> skews_;
  std::deque<std::string> values_;
  std::map<Dot, Dots, DotOrder> knew_;
  std::vector<Knowledge> clients_;
  std::deque<Object> states_;
  std::deque<Dots> pasts_;
  uint64_t incarnations_ = 0;
  uint64_t time_ = 0;
};

}  // namespace kvorum::cluster::fixtures
