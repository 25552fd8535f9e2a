// SPDX-License-Identifier: Apache-2.0
#include "cluster/copies/shared_history.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kvorum::cluster {

SharedHistory::SharedHistory(const SharedHistoryParts& parts, History history,
                             std::shared_ptr<const ClusterView> first)
    : parts_(parts),
      adopted_(parts.reactors),
      generation_(first->generation),
      known_(std::move(history)),
      effective_(std::make_shared<const History>(known_)),
      view_(std::move(first)) {
  KVORUM_CHECK(parts_.self != 0 && parts_.reactors > 0);
  for (std::atomic<uint64_t>& adopted : adopted_) adopted.store(view_->generation);
}

void SharedHistory::set_whole(WholeReplicas* whole) {
  const MutexLock guard(mutex_);
  whole_ = whole;
  if (whole == nullptr || !view_->is_member()) return;
  if (view_->is_changed()) forgive_unowned();
  for (const MovingPartition& moving : view_->moving) {
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      const bool fills = view_->is_owner(view_->self, keyspace, moving.partition) &&
                         !view_->is_reader(view_->self, keyspace, moving.partition);
      if (fills) whole->set(keyspace, moving.partition, false);
    }
  }
}

void SharedHistory::forgive_unowned() {
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < view_->ring.partitions(); ++partition) {
      if (!is_owned(keyspace, partition)) whole_->set(keyspace, partition, true);
    }
  }
}

bool SharedHistory::is_owned(uint8_t keyspace, uint32_t partition) const {
  return view_->is_member() && view_->is_owner(view_->self, keyspace, partition);
}

void SharedHistory::forgive(uint8_t keyspace, uint32_t partition) {
  const MutexLock guard(mutex_);
  if (whole_ == nullptr || is_owned(keyspace, partition)) return;
  whole_->set(keyspace, partition, true);
}

template <class Fn>
void SharedHistory::change_known(Fn fn) {
  {
    const MutexLock guard(mutex_);
    if (!fn(known_)) return;
    changed();
  }
  call_back();
}

void SharedHistory::add(const Change& change) {
  change_known([&](History& known) { return known.add(change); });
}

void SharedHistory::add(const std::vector<Fact>& facts) {
  change_known([&](History& known) {
    bool any = false;
    for (const Fact& fact : facts) any |= known.add(fact);
    return any;
  });
}

void SharedHistory::merge(const History& other) {
  change_known([&](History& known) { return known.merge(other); });
}

bool SharedHistory::merge_difference(std::string_view bytes) {
  std::optional<bool> merged;
  change_known([&](History& known) {
    merged = cluster::merge_difference(known, bytes);
    return merged.value_or(false);
  });
  return merged.has_value();
}

// One write at a time: what comes meanwhile goes with the next one.
void SharedHistory::changed() {
  if (keeping_ != 0) return;
  next_ = std::make_shared<const History>(known_);
  if (!keeper_) return take_effect();
  keeping_ = ++numbers_;
  to_keep_ = next_;
}

// Without the lock, which reactors may wait for: a new set's owners take milliseconds to find.
void SharedHistory::find_placement() {
  std::shared_ptr<const History> next;
  SetPlacements placements;
  {
    const MutexLock guard(mutex_);
    if (next_ == nullptr || next_->newest() == view_->newest_set) return;
    next = next_;
    placements = placements_;
  }
  placements.of(*next, next->newest());
  const MutexLock guard(mutex_);
  if (next == next_) placements_ = std::move(placements);
}

void SharedHistory::kept(uint64_t number) {
  find_placement();
  {
    const MutexLock guard(mutex_);
    if (keeping_ == 0 || number < keeping_) return;
    keeping_ = 0;
    take_effect();
    if (known_.digest() != effective_->digest()) changed();
  }
  call_back();
}

void SharedHistory::take_effect() {
  const std::shared_ptr<const History> before = std::exchange(effective_, std::move(next_));
  next_ = nullptr;
  auto later = std::make_shared<ClusterView>(
      view_of(*effective_, placements_, {view_.get(), before.get()}, parts_.self));
  later->generation = view_->generation + 1;
  KVORUM_CHECK(later->follows(*view_));
  note_owned(*view_, *later);
  view_ = std::move(later);
  generation_.store(view_->generation, std::memory_order_release);
  viewed_ = true;
}

// A copy that this node comes to own is whole once it was filled (mover.h); of what it does not own
// nothing is said.
void SharedHistory::note_owned(const ClusterView& before, const ClusterView& after) {
  if (whole_ == nullptr) return;
  for_changed_partitions(before, after, [&](uint32_t partition) {
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      const bool was = before.is_member() && before.is_owner(before.self, keyspace, partition);
      const bool is = after.is_member() && after.is_owner(after.self, keyspace, partition);
      if (was != is) whole_->set(keyspace, partition, !is);
    }
  });
}

void SharedHistory::call_back() {
  std::shared_ptr<const History> to_keep;
  uint64_t number = 0;
  bool viewed = false;
  {
    const MutexLock guard(mutex_);
    to_keep.swap(to_keep_);
    number = keeping_;
    viewed = std::exchange(viewed_, false);
  }
  if (to_keep != nullptr) keeper_(number, std::move(to_keep));
  if (viewed && on_view_) on_view_();
}

History SharedHistory::known() const {
  const MutexLock guard(mutex_);
  return known_;
}

std::shared_ptr<const History> SharedHistory::history() const {
  const MutexLock guard(mutex_);
  return effective_;
}

std::shared_ptr<const ClusterView> SharedHistory::view() const {
  const MutexLock guard(mutex_);
  return view_;
}

SetPlacements SharedHistory::placements() const {
  const MutexLock guard(mutex_);
  return placements_;
}

Hlc SharedHistory::highest_change() const {
  const MutexLock guard(mutex_);
  return known_.highest_hlc();
}

void SharedHistory::adopt(size_t reactor, uint64_t generation) {
  KVORUM_CHECK(reactor < adopted_.size());
  adopted_[reactor].store(generation, std::memory_order_release);
}

bool SharedHistory::is_adopted(const ClusterView& view) const {
  return std::all_of(adopted_.begin(), adopted_.end(), [&](const auto& adopted) {
    return adopted.load(std::memory_order_acquire) >= view.generation;
  });
}

}  // namespace kvorum::cluster
