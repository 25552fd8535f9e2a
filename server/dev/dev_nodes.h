// SPDX-License-Identifier: Apache-2.0
// Which nodes a `kvorum dev` runs just now: the founders, and those that were added, without those
// that were removed. A file in its directory, a line for each; `kvorum dev add` and `remove` write
// it and tell the process that runs them (SIGHUP), which starts and stops what is different.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/status.h"
#include "server/dev/dev_layout.h"

namespace kvorum::server {

// `founders` where nothing was written yet.
Result<std::vector<DevNode>> read_dev_nodes(const std::string& directory,
                                            const std::vector<DevNode>& founders);
Status write_dev_nodes(const std::string& directory, const std::vector<DevNode>& nodes);
void forget_dev_nodes(const std::string& directory);

// The next node: the first letter that no node has or had, with the ports of its place.
Result<DevNode> next_dev_node(const std::string& directory, const std::vector<DevNode>& founders,
                              const std::vector<DevNode>& nodes);

// Whom the file of the cluster in that directory names. kNotFound: there is none.
Result<std::vector<DevNode>> read_dev_founders(const std::string& directory);
// The first port of these that cannot be bound; 0: all are free.
uint16_t busy_port(const std::vector<DevNode>& nodes);

// The process that runs the cluster of that directory. kNotFound: none does.
Result<pid_t> dev_process(const std::string& directory);

}  // namespace kvorum::server
