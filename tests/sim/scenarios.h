// SPDX-License-Identifier: Apache-2.0
// The stories behind actors and births, over whole nodes: each ends with two acknowledged writes of
// which neither writer knew the other, so both must be read. Each returns what went wrong, nothing
// where all is well. Driven by scenarios_test.cc, and by kvorum-sim --scenarios with bugs planted.
#pragma once

#include <string>
#include <vector>

namespace kvorum::sim {

// A rule switched off, to see the scenario fail without it. (That births are minted is switched off
// by a build of its own: kvorum-sim-without-births.)
enum class Planted : uint8_t { kNothing, kKeepsIncarnation };

using Troubles = std::vector<std::string>;

// A fallback takes a write, hands it off and forgets it, then takes another for the same key.
Troubles forgetful_fallback(Planted planted = Planted::kNothing);
// A primary loses its disk after its write reached the others, and takes another before it hears of
// them again.
Troubles wiped_node(Planted planted = Planted::kNothing);
// The same, but what it loses is only the tail that it had not synced: it still has an older
// version of its own, and the birth that went with it.
Troubles unsynced_crash(Planted planted = Planted::kNothing);

struct Scenario {
  const char* name;
  Troubles (*run)(Planted planted);
};
const std::vector<Scenario>& scenarios();

}  // namespace kvorum::sim
