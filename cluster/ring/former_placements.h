// SPDX-License-Identifier: Apache-2.0
// The placements that the copies of a cluster followed before its configuration changed, while they
// still come after: until every member's copies are whole again (whole_replicas.h), those who were
// primaries of a partition may hold what its present primaries lack. So
//   - a read whose copies are not whole counts only once so many former primaries answered as must
//     know every acknowledged write (needed());
//   - a copy becomes whole by clean exchanges with so many former primaries, and with all holders
//     that can be reached;
//   - the frontier stands still: what the new copies lack is not dead.
// Found at the start beside the identity, or heard from another member; dropped once every member
// said that its copies are whole. Shared by the machines of a node (NodeParts); any thread. While
// nothing changed it costs one load.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/inline_vector.h"
#include "base/mutex.h"
#include "cluster/ring/configuration.h"

namespace kvorum::cluster {

struct FormerPlacement {
  Configuration configuration;
  Ring ring;
  std::array<EffectiveQuorum, kKeyspacesMax> quorums;

  std::span<const MemberIndex> primaries(uint8_t keyspace, uint32_t partition) const {
    return ring.primaries(partition, quorums[keyspace].n);
  }
  // So many of its primaries know between them every write that w of them acknowledged.
  size_t needed(uint8_t keyspace) const {
    const EffectiveQuorum& quorum = quorums[keyspace];
    KVORUM_CHECK(quorum.w <= quorum.n);
    return quorum.n - quorum.w + size_t{1};
  }
};

using FormerList = std::vector<FormerPlacement>;
using Holders = InlineVector<MemberIndex, 8>;

class FormerPlacements {
 public:
  static constexpr size_t kPlacementsMax = 8;

  // Its members are those of `view`, by name, or the first of them, before others joined. That of
  // the view itself, known ones, and those of other members add nothing. False where there are too
  // many.
  bool add(const Configuration& configuration, const ClusterView& view);
  void clear();

  bool any() const { return any_.load(std::memory_order_acquire); }
  // Never null.
  std::shared_ptr<const FormerList> list() const;

 private:
  mutable Mutex mutex_;
  std::atomic<bool> any_{false};
  std::shared_ptr<const FormerList> list_ KVORUM_GUARDED_BY(mutex_) =
      std::make_shared<const FormerList>();
};

// Whom reads of a partition ask, then the former primaries that are none any more.
Holders holders_of(const ClusterView& view, const FormerList& former, uint8_t keyspace,
                   uint32_t partition);

// Whether a copy that was whole under `former` holds all that a read must find by the new rules:
// its node was a primary, and so many of the former primaries as a read asks know every
// acknowledged write.
bool stays_whole(const ClusterView& view, const FormerPlacement& former, uint8_t keyspace,
                 uint32_t partition);

}  // namespace kvorum::cluster
