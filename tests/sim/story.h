// SPDX-License-Identifier: Apache-2.0
// A story is a text file that a cluster plays: one step a line, what must be seen among them. Bugs
// that random seeds found are told so, short (tests/sim/stories). Nodes are named by their place in
// the preference list of the key `k`: p0 is its first primary. A `#` begins a comment.
//
//   nodes 4 durable interval      first line: how many; `memory` (default), or `durable` and when
//                                 to sync; then `n 3`, `r 2`, `w 2`, `reactors 2`, `hints 500`
//                                 (ms), `cache 1` (bytes of objects in memory), `lww`
//   p0 SET k v                    a command at that node, on a connection of its own
//   p0 KV.DEL k @                 `@`: the context that the last KV.GET or KV.PUT answered
//   send p0 INCR k                the same, and nobody waits for the answer
//   = OK                          what it must have answered: a status, number or error code, or
//                                 the values of an array (of KV.GET: the siblings, in any order)
//   pass 1000                     milliseconds go by
//   cut p0 p1 / mute p0 p1        both directions / what the first says to the second is not heard
//   isolate p2                    from all others
//   heal                          every fault ends, links come up, hints are gone
//   kill p0, power p0, wipe p0, stop p0          ways to die (sim_node.h): with the power goes all
//                                 that was not synced, a stop is clean; start p0
//   break p0, mend p0             its disk takes and gives nothing; it works again
//   pause p0 500                  it looks at nothing for so many milliseconds
//   clock p0 60000                its wall clock leaps by so many milliseconds
//   hints 3                       so many hints are pending, at all nodes
//   equal                         the primaries of every partition have equal digests
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvorum::sim {

// What went wrong, with the number of the line; nothing where all was as told.
std::vector<std::string> play(std::string_view story);

}  // namespace kvorum::sim
