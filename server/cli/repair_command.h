// SPDX-License-Identifier: Apache-2.0
// `kvorum repair`: tells a node to compare its copies with those of the others at once, and shows
// how far that has come until it is done. The line is a pure function of the node's JSON.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace kvorum::server {

struct RepairCommand {
  int keyspace = -1;  // -1: all
  int64_t partition = -1;
};

// The exit status. Interrupting it does not stop the node.
int run_repair(const std::string& admin_address, const RepairCommand& command);

struct RepairLine {
  bool active = false;
  std::string text;  // percent, rate, time left, the reason where it waits
};
Result<RepairLine> repair_line(const std::string& repair_document);

}  // namespace kvorum::server
