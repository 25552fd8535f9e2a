// SPDX-License-Identifier: Apache-2.0
#include "cluster/machine/choose_replicas.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::cluster {
namespace {

std::span<const MemberIndex> preference_list(const ClusterView& view, const KeyRef& key) {
  return view.ring.preference_list(view.ring.partition_of(key.position));
}

}  // namespace

void choose_replicas(const Whereabouts& now, const KeyRef& key, Targets* targets,
                     InlineVector<MemberIndex, 4>* uncovered) {
  const auto list = preference_list(now.view, key);
  const size_t n = std::min<size_t>(now.view.quorum(key.keyspace).n, list.size());
  KVORUM_CHECK(n > 0);
  targets->clear();
  uncovered->clear();
  for (size_t at = 0; at < n; ++at) {
    if (now.health.healthy(list[at])) {
      targets->push_back(Target{.member = list[at], .asked_us = now.steady_us});
    } else {
      uncovered->push_back(list[at]);
    }
  }
  if (!now.view.keyspaces[key.keyspace].sloppy) return;
  for (size_t at = n; at < list.size() && !uncovered->empty(); ++at) {
    if (!now.health.healthy(list[at])) continue;
    targets->push_back(
        Target{.member = list[at], .stands_for = (*uncovered)[0], .asked_us = now.steady_us});
    uncovered->erase_at(0);
  }
  KVORUM_CHECK(targets->size() + uncovered->size() == n);
}

MemberIndex spare_fallback(const Whereabouts& now, const KeyRef& key, const Targets& targets) {
  if (!now.view.keyspaces[key.keyspace].sloppy) return kNoMember;
  const auto list = preference_list(now.view, key);
  MemberIndex slow_one = kNoMember;
  for (size_t at = now.view.quorum(key.keyspace).n; at < list.size(); ++at) {
    const bool asked = std::any_of(targets.begin(), targets.end(),
                                   [&](const Target& target) { return target.member == list[at]; });
    if (asked || list[at] == now.view.self || !now.health.healthy(list[at])) continue;
    if (!now.health.slow(list[at])) return list[at];
    if (slow_one == kNoMember) slow_one = list[at];
  }
  return slow_one;
}

}  // namespace kvorum::cluster
