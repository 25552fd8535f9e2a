// SPDX-License-Identifier: Apache-2.0
// The stories behind actors and births, over whole nodes: each ends with two acknowledged writes of
// which neither writer knew the other, so both must be read. Each returns what went wrong, nothing
// where all is well. Driven by scenarios_test.cc and kvorum-sim --scenarios, with bugs planted too.
#pragma once

#include <string>
#include <vector>

namespace kvorum::sim {

using Troubles = std::vector<std::string>;

// A fallback takes a write, hands it off and forgets it, then takes another for the same key.
Troubles forgetful_fallback();
// A primary loses its disk after its write reached the others, and takes another before it hears of
// them again.
Troubles wiped_node();
// The same, but what it loses is only the tail that it had not synced: it still has an older
// version of its own, and the birth that went with it.
Troubles unsynced_crash();

struct Scenario {
  const char* name;
  Troubles (*run)();
};
const std::vector<Scenario>& scenarios();

}  // namespace kvorum::sim
