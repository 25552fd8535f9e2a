// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/faults.h"

namespace kvorum::sim {
namespace {

constexpr uint64_t kMs = 1000;
constexpr int64_t kJumpMaxMs = 60'000;

}  // namespace

void Faults::every(uint64_t mean_us, std::function<void()> strike) {
  if (mean_us == 0) return;
  cluster_.queue.after(rng_.between(mean_us / 4, 2 * mean_us), [this, mean_us, strike] {
    if (stopped_) return;
    strike();
    every(mean_us, strike);
  });
}

void Faults::start() {
  const FaultRates& rates = cluster_.swarm.faults;
  every(rates.partition_us, [this] { partition(); });
  every(rates.death_us, [this] { death(); });
  every(rates.copy_us, [this] {
    const size_t node = rng_.below(cluster_.nodes.size());
    cluster_.nodes[node]->copy_disks();
  });
  every(rates.pause_us, [this] { cluster_.swarm.peaceful ? pause_one() : pause(); });
  every(rates.stutter_us, [this] { stutter(); });
  every(rates.restart_us, [this] { restart(); });
  every(rates.disk_us, [this] { break_disk(); });
  every(rates.clock_us, [this] { move_clock(); });
  every(rates.damage_us, [this] { damage_disk(); });
  every(rates.change_us, [this] { change_members(); });
}

// Halves, one node alone, a bridge (two sides that only one node connects), a ring (each hears its
// neighbours only), a node that is not heard, one direction of one link, or a single link.
void Faults::partition() {
  const size_t count = cluster_.nodes.size();
  if (count < 2) return;
  const bool noticed = rng_.chance(0.6);
  const size_t one = rng_.below(count);
  const size_t other = (one + 1 + rng_.below(count - 1)) % count;
  switch (rng_.below(7)) {
    case 0:
    case 1: {
      const bool bridge = count > 2 && rng_.chance(0.3);
      std::vector<bool> side(count);
      for (size_t node = 0; node < count; ++node) side[node] = rng_.chance(0.5);
      for (size_t a = 0; a < count; ++a) {
        for (size_t b = a + 1; b < count; ++b) {
          const bool through = bridge && (a == one || b == one);
          if (side[a] != side[b] && !through) cluster_.cut(a, b, noticed);
        }
      }
      break;
    }
    case 2:
      cluster_.isolate(one, noticed);
      break;
    case 3:
      cluster_.network.cut(one, other, noticed);
      break;
    case 4:
      for (size_t a = 0; a < count; ++a) {
        for (size_t b = a + 2; b < count; ++b) {
          if (a != 0 || b != count - 1) cluster_.cut(a, b, noticed);
        }
      }
      break;
    case 5:
      for (size_t b = 0; b < count; ++b) {
        if (b != one) cluster_.network.cut(one, b, noticed);
      }
      break;
    default:
      cluster_.cut(one, other, noticed);
  }
  cluster_.queue.after(rng_.between(100 * kMs, 8000 * kMs), [this] { cluster_.heal_network(); });
}

void Faults::death() {
  const size_t node = rng_.below(cluster_.nodes.size());
  const auto how = static_cast<Death>(rng_.below(5));
  if (!cluster_.nodes[node]->alive() || !cluster_.allows(node, how)) return;
  cluster_.kill(node, how);
  cluster_.queue.after(rng_.between(10 * kMs, 6000 * kMs),
                       [this, node] { cluster_.start_node(node); });
}

void Faults::pause() {
  const size_t node = rng_.below(cluster_.nodes.size());
  cluster_.nodes[node]->pause_until(cluster_.queue.now_us() + rng_.between(50 * kMs, 3000 * kMs));
}

bool Faults::claim_peace(size_t* node) {
  *node = rng_.below(cluster_.nodes.size());
  if (disturbed_ || !cluster_.nodes[*node]->alive()) return false;
  return disturbed_ = true;
}

void Faults::pause_one() {
  size_t node = 0;
  if (!claim_peace(&node)) return;
  const uint64_t pause_us = rng_.between(20 * kMs, 1000 * kMs);
  cluster_.nodes[node]->pause_until(cluster_.queue.now_us() + pause_us);
  cluster_.queue.after(pause_us + rng_.below(500 * kMs), [this] { disturbed_ = false; });
}

void Faults::stutter() {
  size_t node = 0;
  if (claim_peace(&node)) pause_again(node, 8);
}

void Faults::pause_again(size_t node, int left) {
  if (left == 0) {
    disturbed_ = false;
    return;
  }
  cluster_.nodes[node]->pause_until(cluster_.queue.now_us() + 80 * kMs);
  cluster_.queue.after(380 * kMs, [this, node, left] { pause_again(node, left - 1); });
}

void Faults::restart() {
  size_t node = 0;
  if (claim_peace(&node)) cluster_.nodes[node]->terminate([this, node] { down(node); });
}

void Faults::down(size_t node) {
  cluster_.kill(node, Death::kClean);
  cluster_.queue.after(rng_.between(100 * kMs, 3000 * kMs),
                       [this, node] { cluster_.start_node(node); });
  cluster_.queue.after(3000 * kMs + rng_.below(1000 * kMs), [this] { disturbed_ = false; });
}

void Faults::break_disk() {
  const size_t node = rng_.below(cluster_.nodes.size());
  SimDisk& disk = cluster_.nodes[node]->disk();
  const bool fills = rng_.chance(0.4);
  fills ? disk.set_full(true) : disk.set_broken(true);
  cluster_.queue.after(rng_.between(1 * kMs, 3000 * kMs),
                       [&disk, fills] { fills ? disk.set_full(false) : disk.set_broken(false); });
}

// A few objects, many or all, and what stands somewhere in the journal.
void Faults::damage_disk() {
  constexpr double kChances[] = {0.05, 0.3, 1.0};
  std::vector<size_t> may_lose;
  for (size_t node = 0; node < cluster_.nodes.size(); ++node) {
    if (cluster_.swarm.nodes[node].may_lose) may_lose.push_back(node);
  }
  const double chance = kChances[rng_.below(3)];
  cluster_.damage_disk(may_lose[rng_.below(may_lose.size())], chance);
}

// At any node that lives, also where it is cut off from who is meant. Only those are declared dead
// whose loss is counted anyway.
void Faults::change_members() {
  const size_t count = cluster_.nodes.size();
  const size_t at = rng_.below(count), member = rng_.below(count);
  SimNode& node = *cluster_.nodes[at];
  if (!node.alive() || !node.is_member()) return;
  const cluster::ClusterView& view = node.view();
  if (!cluster_.swarm.other_policies.empty() && policies_.chance(0.4)) return change_policy(at);
  const bool may_rise = view.ring.shape().placement == cluster::kPlacementUnmended;
  if (cluster_.swarm.raises_placement && may_rise && placements_.chance(0.3)) {
    return cluster_.raise_placement(at);
  }
  switch (rng_.below(4)) {
    case 0:
      cluster_.join(at, member);
      return;
    case 1:
      if (view.ring.placed_members() > cluster_.swarm.copies_max() && cluster_.is_member(member)) {
        cluster_.change(at, cluster::ChangeKind::kLeave, member);
      }
      return;
    case 2:
      if (!cluster_.swarm.nodes[member].may_lose || cluster_.nodes[member]->alive()) return;
      if (view.ring.placed_members() <= cluster_.swarm.copies_max() || !cluster_.is_member(member))
        return;
      cluster_.damage.add(member, cluster_.queue.now_us(), true);
      if (replacing_.chance(0.5) && cluster_.replace(at, member, replacing_.below(count))) return;
      cluster_.change(at, cluster::ChangeKind::kRemove, member);
      return;
    default:
      if (!cluster_.is_member(member)) return;
      cluster_.change(at, cluster::ChangeKind::kWeight, member,
                      static_cast<uint32_t>(rng_.between(1, 4)));
  }
}

void Faults::change_policy(size_t at) {
  const std::vector<cluster::KeyspacePolicy>& others = cluster_.swarm.other_policies;
  const cluster::KeyspacePolicy& other = others[policies_.below(others.size())];
  const bool back = policies_.chance(0.3);
  cluster_.change_policy(at, back ? cluster_.swarm.keyspaces[other.db] : other);
}

void Faults::move_clock() {
  const size_t node = rng_.below(cluster_.nodes.size());
  const auto jump_ms = static_cast<int64_t>(rng_.below(2 * kJumpMaxMs)) - kJumpMaxMs;
  cluster_.nodes[node]->move_clock(jump_ms);
}

}  // namespace kvorum::sim
