// SPDX-License-Identifier: Apache-2.0
// What a node keeps of the membership, in the file `membership` of its data directory: its id, and
// the history once that has changes. A file of its own, written whole and synced before its name
// changes: what a salvage of the store loses of objects it must not lose of votes. Until the first
// change the configuration says all to a founder but the placement of the founding: where that is a
// later one than the first, the file has version 2 and says it, and releases that have no other
// refuse it. What comes to be known after it was written stands in a log beside it
// (membership_log.h). Calls block for the disk.
//
//   "KVMM" version(1) checksum id name history
//   "KVMM" version(2) checksum id name history(empty) placement firm
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "cluster/history/history.h"
#include "server/membership/founded_placement.h"

namespace kvorum::server {

struct KeptMembership {
  cluster::NodeId id = 0;
  std::string node_name;
  std::optional<cluster::History> history;  // none: no change is known
  FoundedPlacement founded{cluster::kPlacementUnmended, false};
};

// With what the log has. Nothing where there is no such file. kCorruption: its bytes are not what
// was written; the text says what to do.
Result<std::optional<KeptMembership>> read_membership(const std::string& directory);

// Of a founder that knows no change. On disk when it returns.
Status write_founding(const std::string& directory, const KeptMembership& kept);
// `history`: History::encode(), or empty. On disk when it returns.
Status write_membership(const std::string& directory, cluster::NodeId id,
                        std::string_view node_name, std::string_view history);

}  // namespace kvorum::server
