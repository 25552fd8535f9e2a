// SPDX-License-Identifier: Apache-2.0
// What the other members said last that they hold of the partitions that move, by member. Written
// by the coordinator that asks (held_copies_link.h), read by whoever shows how far a transfer is;
// any thread. One per node, in NodeParts.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "cluster/ring/member.h"
#include "cluster/wire/held_copies.h"

namespace kvorum::cluster {

class ToldCopies {
 public:
  using Told = std::shared_ptr<const HeldCopies>;  // null: it has told nothing

  void tell(MemberIndex member, HeldCopies held) {
    const MutexLock guard(mutex_);
    if (told_.size() <= member) told_.resize(size_t{member} + 1);
    told_[member] = std::make_shared<const HeldCopies>(std::move(held));
  }
  void clear() {
    const MutexLock guard(mutex_);
    told_.clear();
  }
  std::vector<Told> by_member(size_t members) const {
    const MutexLock guard(mutex_);
    std::vector<Told> all = told_;
    all.resize(members);
    return all;
  }

 private:
  mutable Mutex mutex_;
  std::vector<Told> told_ KVORUM_GUARDED_BY(mutex_);
};

}  // namespace kvorum::cluster
