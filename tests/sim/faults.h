// SPDX-License-Identifier: Apache-2.0
// The faults of a run's safety phase: each kind strikes at random times with the mean interval that
// the swarm drew, lasts a while and ends. One thread; seeded.
#pragma once

#include "tests/sim/cluster.h"

namespace kvorum::sim {

class Faults {
 public:
  Faults(Cluster& cluster, uint64_t seed)
      : cluster_(cluster),
        rng_(seed),
        replacing_(seed * 0x9e3779b97f4a7c15ULL + 1),
        policies_(seed * 0x9e3779b97f4a7c15ULL + 2),
        placements_(seed * 0x9e3779b97f4a7c15ULL + 3) {}

  void start();
  void stop() { stopped_ = true; }

 private:
  void every(uint64_t mean_us, std::function<void()> strike);
  void partition();
  void death();
  void pause();
  void break_disk();
  void damage_disk();
  void move_clock();
  void change_members();
  void change_policy(size_t at);
  void pause_one();
  void stutter();
  void pause_again(size_t node, int left);
  void restart();
  void down(size_t node);
  // The only node that may be disturbed now, or none where one is.
  bool claim_peace(size_t* node);

  Cluster& cluster_;
  Rng rng_;
  Rng replacing_, policies_,
      placements_;  // of their own: what else a seed does is as it was before
  bool stopped_ = false;
  bool disturbed_ = false;  // of a peaceful run: a node is paused, or down
};

}  // namespace kvorum::sim
