// SPDX-License-Identifier: Apache-2.0
// What a node keeps of the membership, in the file `membership` of its data directory: its id, and
// the history once that has changes. A file of its own, written whole and synced before its name
// changes: what a salvage of the store loses of objects it must not lose of votes. Until the first
// change there is none at a founder: the configuration says all. What comes to be known after it
// was written stands in a log beside it (membership_log.h). Calls block for the disk.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "cluster/history/history.h"

namespace kvorum::server {

struct KeptMembership {
  cluster::NodeId id = 0;
  std::string node_name;
  std::optional<cluster::History> history;  // none: no change is known
};

// With what the log has. Nothing where there is no such file. kCorruption: its bytes are not what
// was written; the text says what to do.
Result<std::optional<KeptMembership>> read_membership(const std::string& directory);

// `history`: History::encode(), or empty. On disk when it returns.
Status write_membership(const std::string& directory, cluster::NodeId id,
                        std::string_view node_name, std::string_view history);

}  // namespace kvorum::server
