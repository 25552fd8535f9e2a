// SPDX-License-Identifier: Apache-2.0
// Which key the next operation uses: numbers in [0, keys). Uniform draws cost a multiplication.
// Zipf draws are made beforehand, by inverting the exact cumulative distribution, into a long
// sequence that is then walked in a circle: a draw at run time is one sequential read. The popular
// ranks are scattered over the key space, so that they share no partition. Used by one thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/rng.h"

namespace kvorum::bench {

enum class Distribution { kUniform, kZipf, kSequential };

struct KeySpace {
  uint64_t keys = 1'000'000;
  Distribution distribution = Distribution::kUniform;
  double zipf_exponent = 0.99;
  uint64_t seed = 1;
};

class KeyChooser {
 public:
  explicit KeyChooser(const KeySpace& space);

  uint64_t next() {
    if (distribution_ == Distribution::kUniform) return rng_.below(keys_);
    if (distribution_ == Distribution::kSequential) return take_turn(keys_);
    return drawn_[take_turn(drawn_.size())];
  }

 private:
  uint64_t take_turn(uint64_t length) {
    const uint64_t turn = turn_;
    turn_ = turn + 1 == length ? 0 : turn + 1;
    return turn;
  }

  uint64_t keys_;
  Distribution distribution_;
  Rng rng_;
  uint64_t turn_ = 0;
  std::vector<uint64_t> drawn_;
};

}  // namespace kvorum::bench
