// SPDX-License-Identifier: Apache-2.0
#include "server/status/quorum_health.h"

#include <algorithm>

namespace kvorum::server {
namespace {

using cluster::KeyspacePolicy;
using cluster::MemberIndex;

struct Verdict {
  bool reads_short = false, writes_short = false;
};

bool equal_quorums(const KeyspacePolicy& a, const KeyspacePolicy& b) {
  return a.n == b.n && a.r == b.r && a.w == b.w && a.sloppy == b.sloppy &&
         a.writes_when_short == b.writes_when_short && a.reads_when_short == b.reads_when_short;
}

// Databases without an entry of their own are copies of `default`.
std::vector<uint8_t> different_keyspaces(const cluster::ClusterView& view) {
  std::vector<uint8_t> found;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    const bool known = std::any_of(found.begin(), found.end(), [&](uint8_t other) {
      return equal_quorums(view.keyspaces[other], view.keyspaces[keyspace]);
    });
    if (!known) found.push_back(keyspace);
  }
  return found;
}

void add_name(std::string* names, const std::string& name) {
  if (names->empty()) {
    *names = name;
  } else if (names->find(name) == std::string::npos) {
    *names += ", " + name;
  }
}

class Counter {
 public:
  Counter(const cluster::ClusterView& view, const std::vector<bool>& reachable)
      : view_(view), reachable_(reachable), keyspaces_(different_keyspaces(view)) {}

  QuorumHealth count() {
    for (uint32_t partition = 0; partition < view_.ring.partitions(); ++partition) {
      look_at(partition);
    }
    return health_;
  }

 private:
  bool answers(MemberIndex member) const {
    return member < reachable_.size() && reachable_[member];
  }

  Verdict verdict(uint8_t keyspace, std::span<const MemberIndex> list) const {
    const cluster::EffectiveQuorum quorum = view_.quorum(keyspace);
    const size_t n = std::min<size_t>(quorum.n, list.size());
    const bool sloppy = view_.keyspaces[keyspace].sloppy;
    const auto counted = sloppy ? list : list.first(n);
    const auto alive = static_cast<size_t>(
        std::count_if(counted.begin(), counted.end(), [&](MemberIndex m) { return answers(m); }));
    return {alive < quorum.r, alive < quorum.w};
  }

  void look_at(uint32_t partition) {
    const auto list = view_.ring.preference_list(partition);
    const auto first =
        std::find_if(list.begin(), list.end(), [&](MemberIndex m) { return answers(m); });
    bool reads_refused = false, reads_served = false, writes_refused = false, softened = false;
    for (const uint8_t keyspace : keyspaces_) {
      const KeyspacePolicy& policy = view_.keyspaces[keyspace];
      const Verdict found = verdict(keyspace, list);
      if (found.reads_short) {
        add_name(&health_.reading, policy.name);
        const bool served = policy.reads_when_short == cluster::ReadsWhenShort::kServe;
        (served ? reads_served : reads_refused) = true;
      }
      if (found.writes_short) {
        add_name(&health_.writing, policy.name);
        const bool soft =
            policy.sloppy && policy.writes_when_short == cluster::WritesWhenShort::kHint;
        (soft ? softened : writes_refused) = true;
      }
    }
    health_.reads_refused += reads_refused;
    health_.reads_served += reads_served && !reads_refused;
    health_.writes_refused += writes_refused;
    health_.writes_softened += softened && !writes_refused;
    const bool here = first == list.end() || *first == view_.self;
    health_.refused_here += here && (reads_refused || writes_refused);
  }

  const cluster::ClusterView& view_;
  const std::vector<bool>& reachable_;
  const std::vector<uint8_t> keyspaces_;
  QuorumHealth health_;
};

}  // namespace

QuorumHealth quorum_health(const cluster::ClusterView& view, const std::vector<bool>& reachable) {
  return Counter(view, reachable).count();
}

}  // namespace kvorum::server
