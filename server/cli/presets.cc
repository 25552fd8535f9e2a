// SPDX-License-Identifier: Apache-2.0
#include "server/cli/presets.h"

namespace kvorum::server {
namespace {

constexpr Preset kPresets[] = {
    // Business logic merges what was written concurrently: nothing is lost.
    {"cart",
     "keyspaces:\n  default: {n: 3, r: 2, w: 2, conflicts: siblings}\n"
     "engine: {type: leveldb}\n"},
    // The last write wins, and one copy is enough to go on.
    {"session",
     "keyspaces:\n  default: {n: 3, r: 1, w: 1, conflicts: lww}\n"
     "engine: {type: leveldb}\n"},
    // Read everywhere, written seldom: any copy answers, since a write waits for all.
    {"catalogue",
     "keyspaces:\n  default: {n: 3, r: 1, w: 3, conflicts: lww}\n"
     "engine: {type: leveldb}\n"},
    // In memory, and forgetful: two copies, the first that answers is enough.
    {"cache",
     "keyspaces:\n  default: {n: 2, r: 1, w: 1, conflicts: lww, reads_when_short: serve}\n"
     "engine: {type: memory, eviction: lru}\n"},
};

}  // namespace

std::span<const Preset> presets() { return kPresets; }

const Preset* find_preset(std::string_view name) {
  for (const Preset& preset : kPresets) {
    if (preset.name == name) return &preset;
  }
  return nullptr;
}

std::string preset_names() {
  std::string names;
  for (size_t at = 0; at < std::size(kPresets); ++at) {
    if (at > 0) names += at + 1 == std::size(kPresets) ? " or " : ", ";
    names += kPresets[at].name;
  }
  return names;
}

}  // namespace kvorum::server
