// SPDX-License-Identifier: Apache-2.0
#include "cluster/spread/mend.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/rng.h"

namespace kvorum::cluster {
namespace {

constexpr uint32_t kFruitlessMax = 600;  // exchanges in a row that find nothing better
constexpr uint32_t kExchangesMax = 4096;
// What a move must gain: half of what two neighbours on one rack cost.
constexpr int64_t kMovePrice = 1 << 19;
constexpr uint32_t kPartnersMax = 1024;           // that are tried for one partition
constexpr uint32_t kRestMin = 4, kRestSpan = 12;  // exchanges for which a partition is left alone

class Mending {
 public:
  Mending(std::vector<uint16_t> owners, const GapCost& cost, MendLimits limits, uint64_t seed)
      : owners_(std::move(owners)),
        cost_(cost),
        limits_(limits),
        rng_(seed),
        mask_(static_cast<uint32_t>(owners_.size()) - 1),
        rests_until_(owners_.size(), 0) {
    uint16_t members = 0;
    for (uint32_t at = 0; at < owners_.size(); ++at) {
      costs_.push_back(cost_.at(owners_, at));
      total_ += costs_.back();
      members = std::max(members, owners_[at]);
      moves_ += is_moved(at, owners_[at]);
    }
    total_ += kMovePrice * moves_;
    cost_here_.resize(size_t{members} + 1);
    is_tried_.resize(size_t{members} + 1);
  }

  std::vector<uint16_t> run() {
    std::vector<uint16_t> best = owners_;
    int64_t best_total = total_;
    uint32_t fruitless = 0;
    for (now_ = 1; now_ < kExchangesMax && total_ - kMovePrice * moves_ > cost_.bound(); ++now_) {
      best_total_ = best_total;
      exchange_best_of(faulty());
      const bool better = total_ < best_total;
      fruitless = better ? 0 : fruitless + 1;
      if (fruitless > kFruitlessMax) break;
      if (!better) continue;
      best_total = total_;
      best = owners_;
    }
    return best;
  }

 private:
  struct Exchange {
    uint32_t partner = 0;
    int64_t gain = std::numeric_limits<int64_t>::min();
    int32_t moves = 0;
    bool is_shift = false;
  };

  int32_t is_moved(uint32_t at, uint16_t owner) const {
    return !limits_.before.empty() && limits_.before[at] != owner ? 1 : 0;
  }

  // One that has a fault, or the one before it with which it has it.
  uint32_t faulty() {
    const auto offset = static_cast<uint32_t>(rng_.next());
    for (uint32_t step = 0; step <= mask_; ++step) {
      const uint32_t at = (offset + step) & mask_;
      if (costs_[at] == 0) continue;
      const auto back = static_cast<uint32_t>(rng_.below(2 * cost_.reach()));
      return back < cost_.reach() ? (at - back) & mask_ : at;
    }
    KVORUM_CHECK(false);  // the total is above the bound, so something costs
    return 0;
  }

  // The sum of the costs in which the owner of a partition counts, as they are kept.
  int64_t kept_around(uint32_t at) const {
    int64_t sum = 0;
    for (uint32_t step = 0; step < cost_.reach(); ++step) sum += costs_[(at + step) & mask_];
    return sum;
  }
  int64_t cost_around(uint32_t at) const {
    int64_t sum = 0;
    for (uint32_t step = 0; step < cost_.reach(); ++step) {
      sum += cost_.at(owners_, (at + step) & mask_);
    }
    return sum;
  }
  int64_t cost_with(uint32_t at, uint16_t owner) {
    const uint16_t before = std::exchange(owners_[at], owner);
    const int64_t cost = cost_around(at);
    owners_[at] = before;
    return cost;
  }

  // What `owner` would cost at the partition for which a partner is sought.
  int64_t cost_here(uint32_t at, uint16_t owner) {
    if (is_tried_[owner] != now_) {
      is_tried_[owner] = now_;
      cost_here_[owner] = cost_with(at, owner);
    }
    return cost_here_[owner];
  }

  bool are_near(uint32_t a, uint32_t b) const {
    return ((a - b) & mask_) < cost_.reach() || ((b - a) & mask_) < cost_.reach();
  }

  // How much less the two cost exchanged, if they are near enough to count in each other's cost.
  int64_t gain_of_near(uint32_t a, uint32_t b) {
    const auto sum = [&](auto&& cost_at) {
      int64_t cost = 0;
      for (uint32_t step = 0; step < cost_.reach(); ++step) {
        cost += cost_at((a + step) & mask_);
        const uint32_t at = (b + step) & mask_;
        if (((at - a) & mask_) >= cost_.reach()) cost += cost_at(at);
      }
      return cost;
    };
    const int64_t before = sum([&](uint32_t at) { return costs_[at]; });
    std::swap(owners_[a], owners_[b]);
    const int64_t after = sum([&](uint32_t at) { return cost_.at(owners_, at); });
    std::swap(owners_[a], owners_[b]);
    return before - after;
  }

  // Takes the exchange if it is the best yet.
  void consider(uint32_t at, uint32_t partner, int64_t here, Exchange& best) {
    const uint16_t own = owners_[at], other = owners_[partner];
    if (own == other) return;
    const int32_t moves =
        is_moved(at, other) + is_moved(partner, own) - is_moved(at, own) - is_moved(partner, other);
    if (moves > 0 && moves_ + moves > static_cast<int32_t>(limits_.moves_max)) return;
    int64_t gain = -kMovePrice * moves;
    if (are_near(at, partner)) {
      gain += gain_of_near(at, partner);
    } else {
      const int64_t there = kept_around(partner);
      const int64_t most = gain + here - cost_here(at, other) + there;
      if (most < best.gain) return;
      gain = most - cost_with(partner, own);
    }
    const bool rests = rests_until_[at] > now_ || rests_until_[partner] > now_;
    if (rests && total_ - gain >= best_total_) return;
    if (gain < best.gain || (gain == best.gain && moves >= best.moves)) return;
    best = {partner, gain, moves, false};
  }

  // The owners of so many partitions from this one on.
  void append(std::vector<uint16_t>& stretch, uint32_t from, uint32_t count) const {
    for (uint32_t step = 0; step < count; ++step) stretch.push_back(owners_[(from + step) & mask_]);
  }
  int64_t cost_of_last(const std::vector<uint16_t>& stretch, uint32_t count) const {
    int64_t sum = 0;
    for (size_t at = stretch.size() - count; at < stretch.size(); ++at)
      sum += cost_.in(stretch, at);
    return sum;
  }

  // Takes an owner out and puts it in behind another partition; those between move up by one.
  void consider_shifts(uint32_t at, int64_t here, Exchange& best) {
    const uint32_t wide = cost_.reach() - 1;
    if (mask_ <= 4 * wide) return;
    std::vector<uint16_t> stretch;
    append(stretch, at - wide, wide);
    append(stretch, at + 1, wide);
    const int64_t gain_of_leaving = here - cost_of_last(stretch, wide);
    const auto offset = static_cast<uint32_t>(rng_.next());
    const uint32_t partners = std::min(mask_ + 1, kPartnersMax);
    for (uint32_t step = 0; step < partners; ++step) {
      const uint32_t to = (offset + step) & mask_;
      if (((to - at) & mask_) <= 2 * wide || ((at - to) & mask_) <= 2 * wide) continue;
      const int64_t there = kept_around(to + 1) - costs_[(to + 1 + wide) & mask_];
      if (gain_of_leaving + there < best.gain) continue;
      stretch.clear();
      append(stretch, to - wide + 1, wide);
      stretch.push_back(owners_[at]);
      append(stretch, to + 1, wide);
      const int64_t gain = gain_of_leaving + there - cost_of_last(stretch, wide + 1);
      const bool rests = rests_until_[at] > now_ || rests_until_[to] > now_;
      if (rests && total_ - gain >= best_total_) continue;
      if (gain <= best.gain) continue;
      best = {to, gain, 0, true};
    }
  }

  void shift(uint32_t at, uint32_t to) {
    const uint16_t owner = owners_[at];
    const uint32_t ahead = (to - at) & mask_;
    if (ahead <= mask_ / 2) {
      for (uint32_t step = 0; step < ahead; ++step) pull(at + step, at + step + 1);
    } else {
      to = (to + 1) & mask_;
      for (uint32_t step = 0; step < mask_ - ahead; ++step) pull(at - step, at - step - 1);
    }
    owners_[to] = owner;
    for (const uint32_t changed : {at, to}) {
      for (uint32_t step = 0; step <= 2 * cost_.reach(); ++step) {
        const uint32_t near = (changed - cost_.reach() + step) & mask_;
        costs_[near] = cost_.at(owners_, near);
      }
      rests_until_[changed] = now_ + kRestMin + static_cast<uint32_t>(rng_.below(kRestSpan));
    }
  }
  void pull(uint32_t to, uint32_t from) {
    owners_[to & mask_] = owners_[from & mask_];
    costs_[to & mask_] = costs_[from & mask_];
    rests_until_[to & mask_] = rests_until_[from & mask_];
  }

  void exchange_best_of(uint32_t at) {
    Exchange best;
    const int64_t here = kept_around(at);
    const auto offset = static_cast<uint32_t>(rng_.next());
    const uint32_t partners = std::min(mask_ + 1, kPartnersMax);
    for (uint32_t step = 0; step < partners; ++step) {
      consider(at, (offset + step) & mask_, here, best);
    }
    if (limits_.before.empty()) consider_shifts(at, here, best);
    if (best.gain == std::numeric_limits<int64_t>::min()) return;
    if (best.is_shift) {
      shift(at, best.partner);
      total_ -= best.gain;
      return;
    }
    std::swap(owners_[at], owners_[best.partner]);
    moves_ += best.moves;
    total_ -= best.gain;
    for (const uint32_t changed : {at, best.partner}) {
      for (uint32_t step = 0; step < cost_.reach(); ++step) {
        const uint32_t near = (changed + step) & mask_;
        costs_[near] = cost_.at(owners_, near);
      }
      rests_until_[changed] = now_ + kRestMin + static_cast<uint32_t>(rng_.below(kRestSpan));
    }
  }

  std::vector<uint16_t> owners_;
  const GapCost& cost_;
  const MendLimits limits_;
  Rng rng_;
  const uint32_t mask_;
  std::vector<int64_t> costs_;  // by partition
  int64_t total_ = 0, best_total_ = 0;
  int32_t moves_ = 0;
  uint32_t now_ = 0;  // exchanges so far
  std::vector<uint32_t> rests_until_;
  std::vector<int64_t> cost_here_;  // by owner, of the exchange that is_tried_ says
  std::vector<uint32_t> is_tried_;
};

}  // namespace

std::vector<uint16_t> mend(std::vector<uint16_t> owners, const GapCost& cost, MendLimits limits,
                           uint64_t seed) {
  if (cost.total(owners) <= cost.bound()) return owners;
  return Mending(std::move(owners), cost, limits, seed).run();
}

}  // namespace kvorum::cluster
