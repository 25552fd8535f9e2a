// SPDX-License-Identifier: Apache-2.0
// Draws steps of a History with rapidcheck, so that a failing one shrinks to few steps.
#pragma once

#include <rapidcheck.h>

#include <vector>

#include "tests/cluster/version_history.h"

namespace rc {
template <>
struct Arbitrary<kvorum::cluster::fixtures::Step> {
  static Gen<kvorum::cluster::fixtures::Step> arbitrary() {
    using kvorum::cluster::fixtures::Step;
    const auto byte = [] { return gen::inRange<uint8_t>(0, 60); };
    return gen::build<Step>(gen::set(&Step::kind, byte()), gen::set(&Step::replica, byte()),
                            gen::set(&Step::other, byte()), gen::set(&Step::choice, byte()));
  }
};
}  // namespace rc

namespace kvorum::cluster::fixtures {

inline void showValue(const Step& step, std::ostream& out) {  // NOLINT: named by rapidcheck
  out << "{" << int{step.kind} << " " << int{step.replica} << " " << int{step.other} << " "
      << int{step.choice} << "}";
}

// Long enough that siblings, forgetting and restarts meet.
inline std::vector<Step> draw_steps() {
  return *rc::gen::resize(60, rc::gen::arbitrary<std::vector<Step>>());
}

// States from all of the history and its end: every triple of them is tried.
inline std::vector<Object> sample_states(History& history) {
  constexpr size_t kSamples = 6;
  std::vector<Object> sample;
  const size_t states = history.states().size();
  for (size_t n = 0; n < kSamples && n < states; ++n) {
    sample.push_back(history.states()[n * states / kSamples]);
  }
  for (const Replica& replica : history.replicas()) sample.push_back(replica.object);
  return sample;
}

template <class Fn>
void for_triples(const std::vector<Object>& states, Fn fn) {
  for (const Object& a : states) {
    for (const Object& b : states) {
      for (const Object& c : states) fn(a, b, c);
    }
  }
}

}  // namespace kvorum::cluster::fixtures
