// SPDX-License-Identifier: Apache-2.0
// Which copies of partitions on this node are whole: hold, or cover, every write that the node
// acknowledged for them. A copy is not while the node may have forgotten some: its directory was
// wiped, its last stop was unclean, it keeps nothing on disk, a record was damaged, its hash tree
// does not agree with its objects. Such a copy takes writes, but does not count toward R, and is no
// context of a blind write; a clean exchange with all reachable primaries makes it whole. While a
// copy is damaged its hash tree claims what is lost: exchanges say nothing until the tree was built
// anew (tree_keeper.h). Nor is a copy whole that is new: whose partition this node holds, or is
// read by other rules, since the configuration changed (former_placements.h). A new copy forgot
// nothing. Shared by the machines of a node (NodeParts); any thread.
//
//   whole --set(false)--> lacking --set(true)--> whole
//   whole --note_new()--> new --set(true)--> whole
//   any --note_damage()--> damaged --mend(), the tree is built--> lacking
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/position.h"

namespace kvorum::cluster {

class WholeReplicas {
 public:
  // All copies are, or none is.
  WholeReplicas(int partition_bits, bool whole)
      : partitions_(uint32_t{1} << partition_bits),
        flags_(size_t{kKeyspacesMax} * partitions_),
        missing_(whole ? 0 : flags_.size()) {
    const uint32_t state = whole ? kWhole : kLacking;
    for (std::atomic<uint32_t>& flag : flags_) flag.store(state, std::memory_order_relaxed);
  }

  bool is_whole(uint8_t keyspace, uint32_t partition) const {
    return missing_.load(std::memory_order_relaxed) == 0 ||
           flags_[at(keyspace, partition)].load(std::memory_order_acquire) == kWhole;
  }
  bool is_new(uint8_t keyspace, uint32_t partition) const {
    return missing_.load(std::memory_order_relaxed) != 0 &&
           flags_[at(keyspace, partition)].load(std::memory_order_acquire) == kNew;
  }
  // A damaged copy stays so.
  void set(uint8_t keyspace, uint32_t partition, bool whole) {
    change(keyspace, partition, whole ? kWhole : kLacking);
  }
  // One that is not whole for another reason stays as it is.
  void note_new(uint8_t keyspace, uint32_t partition) {
    if (is_whole(keyspace, partition)) change(keyspace, partition, kNew);
  }
  // False where the copy was damaged already.
  bool note_damage(uint8_t keyspace, uint32_t partition) {
    const uint32_t number = next_damage_.fetch_add(1, std::memory_order_relaxed);
    missing_.fetch_add(1, std::memory_order_relaxed);  // first: is_whole() looks at it first
    const uint32_t before =
        flags_[at(keyspace, partition)].exchange(number, std::memory_order_acq_rel);
    if (before != kWhole) missing_.fetch_sub(1, std::memory_order_relaxed);
    if (before < kFirstDamage) damaged_.fetch_add(1, std::memory_order_acq_rel);
    return before < kFirstDamage;
  }
  // The number of the latest damage of a copy that is damaged, else 0.
  uint32_t damage(uint8_t keyspace, uint32_t partition) const {
    if (damaged_.load(std::memory_order_acquire) == 0) return 0;
    const uint32_t state = flags_[at(keyspace, partition)].load(std::memory_order_acquire);
    return state < kFirstDamage ? 0 : state;
  }
  // The tree was built since that damage. False where there was another one.
  bool mend(uint8_t keyspace, uint32_t partition, uint32_t damage_number) {
    KVORUM_CHECK(damage_number >= kFirstDamage);  // of damage()
    uint32_t before = damage_number;
    if (!flags_[at(keyspace, partition)].compare_exchange_strong(before, kLacking,
                                                                 std::memory_order_acq_rel)) {
      return false;
    }
    damaged_.fetch_sub(1, std::memory_order_acq_rel);
    return true;
  }
  size_t damaged() const { return damaged_.load(std::memory_order_acquire); }
  // How many are not.
  size_t missing() const { return missing_.load(std::memory_order_relaxed); }
  uint32_t partitions() const { return partitions_; }

 private:
  size_t at(uint8_t keyspace, uint32_t partition) const {
    KVORUM_CHECK(keyspace < kKeyspacesMax && partition < partitions_);
    return size_t{keyspace} * partitions_ + partition;
  }

  void change(uint8_t keyspace, uint32_t partition, uint32_t after) {
    std::atomic<uint32_t>& flag = flags_[at(keyspace, partition)];
    uint32_t before = flag.load(std::memory_order_acquire);
    do {
      if (before == after || before >= kFirstDamage) return;
    } while (!flag.compare_exchange_weak(before, after, std::memory_order_acq_rel));
    if (before == kWhole) missing_.fetch_add(1, std::memory_order_relaxed);
    if (after == kWhole) missing_.fetch_sub(1, std::memory_order_relaxed);
  }

  static constexpr uint32_t kLacking = 0, kWhole = 1, kNew = 2, kFirstDamage = 3;

  const uint32_t partitions_;
  std::vector<std::atomic<uint32_t>> flags_;  // or the number of a damage
  std::atomic<size_t> missing_;
  std::atomic<size_t> damaged_{0};
  std::atomic<uint32_t> next_damage_{kFirstDamage};
};

}  // namespace kvorum::cluster
