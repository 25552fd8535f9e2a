// SPDX-License-Identifier: Apache-2.0
// Hints for a node that left, or that owns the key no more: moved to the key's primaries of today,
// this node's own copy among them. The old hint goes when all of that is committed (hint_replay.h);
// a crash in between leaves both, and merging twice is like merging once. Private to cluster/.
#pragma once

#include "cluster/machine/core.h"

namespace kvorum::cluster {

struct HintMove {
  enum class State : uint8_t {
    kBegun,   // done once its commits are
    kLoads,   // the own copy is asked for: nothing was done, begin again when it is loaded
    kFailed,  // a table did not take it
  };
  State state = State::kBegun;
  size_t commits_open = 0;  // that the machine of the operation will be told of
};

struct MovedHint {
  SlotId id;  // of the operation that moves it
  KeyRef key;
  const Object& object;
};
// Writes the object to the own copy and into hints for the other primaries, as far as they are.
HintMove begin_hint_move(Core& core, const MovedHint& hint, Now now);

}  // namespace kvorum::cluster
