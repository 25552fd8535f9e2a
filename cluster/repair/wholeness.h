// SPDX-License-Identifier: Apache-2.0
// Which copies of this node count toward R (whole_replicas.h): a copy that forgot is whole again
// once an exchange with each of its other holders was clean, or with all that are not away for
// long. Looks at what clean exchanges are noted; makes none. Private to cluster/; owned by
// AntiEntropy.
#pragma once

#include "cluster/machine/core.h"

namespace kvorum::cluster {

class Wholeness {
 public:
  static constexpr uint64_t kGraceUs = 5'000'000;  // for a link to come up, or to come back

  explicit Wholeness(Core& core) : core_(core) {}

  // Some copies are not whole: there is something to exchange for.
  bool lacks_some() const {
    return core_.parts.whole != nullptr && core_.parts.whole->missing() > 0;
  }
  // The copy is not whole until exchanges that begin from now on were clean. REQUIRES: copies are
  // told apart, NodeParts::whole.
  void on_damage(uint8_t keyspace, uint32_t partition, Now now);
  // Marks copies that are whole by now. The first call begins the grace for links.
  void look(Now now);
  void on_time(Now now) {
    if (now.steady_us >= look_at_us_) look(now);
  }
  uint64_t next_deadline_us() const { return grace_until_us_ == 0 ? 1 : look_at_us_; }

 private:
  void look_at(uint8_t keyspace, uint32_t partition, Now now);
  bool may_be_whole(uint8_t keyspace, uint32_t partition, const Holders& holders, Now now) const;
  bool former_exchanged(uint8_t keyspace, uint32_t partition) const;
  bool has_exchanged(uint8_t keyspace, uint32_t partition, MemberIndex with) const;
  bool is_away(MemberIndex primary, Now now) const;

  Core& core_;
  uint64_t grace_until_us_ = 0;
  uint64_t look_at_us_ = 0;  // 0: as soon as a copy is not whole
  Hlc damaged_at_;           // copies that are not whole need exchanges that began later
};

}  // namespace kvorum::cluster
