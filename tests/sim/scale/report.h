// SPDX-License-Identifier: Apache-2.0
// `kvorum-sim --scale`: tables in Markdown of what grows with the nodes of a cluster and what does
// not (docs/BACKGROUND.md says what they mean). Prints to stdout; takes minutes.
#pragma once

#include <string>

namespace kvorum::sim {

// `part`: gossip, joins, load, memory, or empty for all of them. False where there is no such part.
bool print_scale(const std::string& part);

}  // namespace kvorum::sim
