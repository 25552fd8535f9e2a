// SPDX-License-Identifier: Apache-2.0
// What is wrong with a node or its cluster, as one list behind `kvorum status`, KV.CLUSTER STATUS,
// /readyz, INFO and /api/v1/status. node_problems() is a pure function of the status: whoever finds
// a new kind of trouble puts the fact into NodeStatus and a row into the table of problems.cc.
// ProblemTimes remembers since when each of them is there; it has a lock, for any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/mutex.h"

namespace kvorum::server {

struct NodeStatus;

struct NodeProblem {
  std::string code;         // of its kind, for machines: `store_failed`; never changes
  std::string subject;      // the member or keyspace it is about; empty: this node
  std::string what;         // one sentence, without a full stop, as the next two
  std::string consequence;  // for those who use the cluster
  std::string next;         // a command to type, or a change to make
  bool unready = false;     // /readyz says 503: this node should get no requests now
  uint64_t since_ms = 0;    // Unix
};

// The worst first. `since_ms` is left to ProblemTimes.
std::vector<NodeProblem> node_problems(const NodeStatus& status);

// "c is down: no link for 12 s; its copies wait as hints; next: kvorum serve --name c"
std::string problem_text(const NodeProblem& problem);
bool any_unready(const std::vector<NodeProblem>& problems);

class ProblemTimes {
 public:
  // Fills since_ms: when the same code and subject first came up and did not leave since.
  void date(std::vector<NodeProblem>* problems, uint64_t now_ms);

 private:
  using Key = std::pair<std::string, std::string>;
  Mutex lock_;
  std::map<Key, uint64_t> since_ms_ KVORUM_GUARDED_BY(lock_);
};

}  // namespace kvorum::server
