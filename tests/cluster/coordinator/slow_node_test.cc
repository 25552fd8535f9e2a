// SPDX-License-Identifier: Apache-2.0
// One node of five has every message from or to it 200 ms late: what the clients of the others
// notice.
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/cluster/delayed_cluster.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kSecond = DelayedCluster::kSecond;
constexpr size_t kNodes = DelayedCluster::kNodes;

// kNodes: none is slow.
DelayedCluster with_slow(size_t slow) {
  std::vector<size_t> fast;
  for (size_t node = 0; node < kNodes; ++node) {
    if (node != slow) fast.push_back(node);
  }
  return DelayedCluster(fast, [slow](size_t from, size_t to, uint64_t) {
    return from == slow || to == slow ? 200 * DelayedCluster::kMs : 0;
  });
}

TEST(SlowNode, DoesNotDoubleTheOthersSlowestThousandth) {
  const DelayedCluster::Figures without = with_slow(kNodes).run(5 * kSecond, 60 * kSecond);
  for (size_t slow = 0; slow < kNodes; ++slow) {
    DelayedCluster story = with_slow(slow);
    const DelayedCluster::Figures with = story.run(5 * kSecond, 60 * kSecond);
    std::printf("p99.9 in us: get %lu -> %lu, put %lu -> %lu, failed %lu -> %lu\n",
                static_cast<unsigned long>(without.get_us), static_cast<unsigned long>(with.get_us),
                static_cast<unsigned long>(without.put_us), static_cast<unsigned long>(with.put_us),
                static_cast<unsigned long>(without.failed),
                static_cast<unsigned long>(with.failed));
    EXPECT_LT(with.get_us, 2 * without.get_us) << slow;
    EXPECT_LT(with.put_us, 2 * without.put_us) << slow;
    EXPECT_EQ(with.failed, 0u);
    for (size_t node = 0; node < kNodes; ++node) {
      if (node == slow) continue;
      const auto state =
          story.cluster().nodes[node]->coordinator->peer_state(static_cast<MemberIndex>(slow));
      EXPECT_EQ(state, PeerState::kSlow) << "not up, and not dead";
    }
  }
}

}  // namespace
}  // namespace kvorum::cluster
