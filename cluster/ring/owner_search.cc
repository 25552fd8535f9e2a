// SPDX-License-Identifier: Apache-2.0
#include "cluster/ring/owner_search.h"

#include <algorithm>
#include <cstdlib>

#include "base/check.h"

constexpr int64_t kMoveCost = 3;
constexpr int64_t kEvaluationsMax = 500000;
namespace kvorum::cluster {

OwnerSearch::OwnerSearch(std::vector<MemberIndex> owners, const SpreadCost& cost,
                         std::vector<ShareGoal> goals, uint64_t seed)
    : old_(owners), owners_(std::move(owners)), cost_(cost), goals_(std::move(goals)), rng_(seed) {
  owned_.assign(goals_.size(), 0);
  for (const MemberIndex owner : owners_) {
    if (owner != kNoMember) ++owned_[owner];
  }
}

void OwnerSearch::hand_over() {
  const auto partitions = static_cast<uint32_t>(owners_.size());
  while (true) {
    MemberIndex taker = 0;
    const auto lacks = [&](MemberIndex m) {
      return static_cast<int64_t>(goals_[m].wanted) - static_cast<int64_t>(owned_[m]);
    };
    for (MemberIndex m = 0; m < goals_.size(); ++m) {
      if (lacks(m) > lacks(taker)) taker = m;
    }
    if (lacks(taker) <= 0) break;
    const auto offset = static_cast<uint32_t>(rng_.below(partitions));
    uint32_t best = partitions;
    int64_t best_gain = 0;
    for (uint32_t step = 0; step < partitions; ++step) {
      const uint32_t p = (offset + step) & (partitions - 1);
      const MemberIndex owner = owners_[p];
      if (owner != kNoMember && lacks(owner) >= 0) continue;
      const int64_t gain = cost_.at(owners_, p) - cost_.at_if(owners_, p, taker);
      if (best < partitions && gain <= best_gain) continue;
      best = p;
      best_gain = gain;
    }
    KVORUM_CHECK(best < partitions);
    if (owners_[best] != kNoMember) --owned_[owners_[best]];
    owners_[best] = taker;
    ++owned_[taker];
  }
  moves_ = 0;
  for (uint32_t p = 0; p < partitions; ++p) moves_ += static_cast<uint32_t>(moved(p, owners_[p]));
}

bool OwnerSearch::shares_allow(const Step& step) const {
  const MemberIndex a = owners_[step.partition], b = owners_[step.other];
  // p: a -> step.owner, q: b -> step.other_owner
  if (step.owner == b && step.other_owner == a) return true;
  // t = a stays; b loses, step.owner gains
  return owned_[step.owner] + 1 <= goals_[step.owner].most && owned_[b] >= goals_[b].least + 1;
}

void OwnerSearch::consider(Step step, Step& best) {
  const uint32_t p = step.partition, q = step.other;
  const MemberIndex a = owners_[p], b = owners_[q];
  step.moves = moved(p, step.owner) - moved(p, a) + moved(q, step.other_owner) - moved(q, b);
  if (step.moves > 0 && moves_ + static_cast<uint32_t>(step.moves) > moves_max_) return;
  const int64_t before = cost_.at(owners_, p) + cost_.at(owners_, q);
  const auto n = static_cast<uint32_t>(owners_.size());
  const uint32_t d = (p - q) & (n - 1);
  int64_t after;
  if (d < cost_.reach() || n - d < cost_.reach()) {
    owners_[p] = step.owner;
    owners_[q] = step.other_owner;
    after = cost_.at(owners_, p) + cost_.at(owners_, q);
    owners_[p] = a;
    owners_[q] = b;
  } else {
    after = cost_.at_if(owners_, p, step.owner) + cost_.at_if(owners_, q, step.other_owner);
  }
  step.gain = before - after - kMoveCost * step.moves;
  if (step.gain < best.gain) return;
  if (step.gain == best.gain) {
    if (rng_.below(++ties_) != 0) return;
  } else {
    ties_ = 1;
  }
  best = step;
}

OwnerSearch::Step OwnerSearch::best_step(uint32_t p) {
  Step best;
  ties_ = 0;
  const auto partitions = static_cast<uint32_t>(owners_.size());
  const MemberIndex a = owners_[p];
  for (uint32_t q = 0; q < partitions; ++q) {
    const MemberIndex b = owners_[q];
    if (a == b) continue;
    consider({p, q, b, a}, best);
    // a goes from p to q; p back to whom it was
    const MemberIndex was = old_[p];
    if (was != kNoMember && was != a && was != b) {
      const Step step{p, q, was, a};
      if (shares_allow(step)) consider(step, best);
    }
    const MemberIndex q_was = old_[q];
    if (q_was != kNoMember && q_was != b && q_was != a) {
      const Step step{q, p, q_was, b};
      if (shares_allow(step)) consider(step, best);
    }
  }
  return best;
}

void OwnerSearch::apply(const Step& step) {
  const auto set = [&](uint32_t p, MemberIndex o) {
    --owned_[owners_[p]];
    ++owned_[o];
    owners_[p] = o;
  };
  moves_ = static_cast<uint32_t>(static_cast<int32_t>(moves_) + step.moves);
  set(step.partition, step.owner);
  set(step.other, step.other_owner);
}

void OwnerSearch::mend(uint32_t moves_max) {
  const auto partitions = static_cast<uint32_t>(owners_.size());
  moves_max_ = std::max(moves_max, moves_);
  int64_t evaluations = kEvaluationsMax;
  std::vector<uint32_t> hot;
  std::vector<bool> cold(partitions, false);
  while (evaluations > 0) {
    hot.clear();
    for (uint32_t p = 0; p < partitions; ++p) {
      if (!cold[p] && cost_.at(owners_, p) > 0) hot.push_back(p);
    }
    if (hot.empty()) return;
    const uint32_t p = hot[rng_.below(hot.size())];
    const Step best = best_step(p);
    evaluations -= partitions;
    if (best.gain < 0) {
      cold[p] = true;
      continue;
    }
    apply(best);
    if (best.gain > 0) cold.assign(partitions, false);
  }
}

}  // namespace kvorum::cluster
