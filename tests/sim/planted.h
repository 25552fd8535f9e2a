// SPDX-License-Identifier: Apache-2.0
// The bug that this process has planted in its clusters, and the bugs' names. Set before any run
// begins, by main or by a test; read by all runs.
#pragma once

#include <span>
#include <string_view>

#include "base/planted_bug.h"

namespace kvorum::sim {

struct PlantedBugRow {
  PlantedBug bug;
  std::string_view name;
  std::string_view what;
  bool by_seeds;          // random seeds must catch it; else a story does
  bool peaceful = false;  // seeds of peaceful runs
  bool moving = false;    // or of those whose members change
  uint64_t skipped = 0;   // seeds: of a rare one, up to where it is met soon
};

std::span<const PlantedBugRow> planted_bugs();
// kNone for a name that no bug has.
PlantedBug planted_bug_named(std::string_view name);

PlantedBug planted_bug();
void plant(PlantedBug bug);

// A bug while this lives.
class Planting {
 public:
  explicit Planting(PlantedBug bug) { plant(bug); }
  ~Planting() { plant(PlantedBug::kNone); }
  Planting(const Planting&) = delete;
};

}  // namespace kvorum::sim
