// SPDX-License-Identifier: Apache-2.0
// The commands that ask a running node at its admin address and print tables: `kvorum status`,
// `kvorum health`, `kvorum ring`, `kvorum hints`. The tables are pure functions of the node's JSON.
#pragma once

#include <string>

#include "base/status.h"

namespace kvorum::server {

// The exit status. Of the status: 0 settled, or moving without a problem; 1 degraded, or the node
// is not ready; 2 not reachable. Of the health: 0 ready, else 1.
int show_status(const std::string& admin_address);
int show_health(const std::string& admin_address);
int show_hints(const std::string& admin_address);
int show_ring(const std::string& admin_address, const std::string& key, int database);

// One line per member with name, peer address and state, then a summary.
Result<std::string> status_table(const std::string& status_document);
// One line per node that hints are kept for, with their age, rate and the reason why they wait.
Result<std::string> hints_table(const std::string& hints_document);
Result<std::string> ring_table(const std::string& ring_document);
Result<std::string> key_table(const std::string& key_document);

// The exit status of `kvorum status` for a document.
int status_exit(const std::string& status_document);

// The value of `state` in a status document: settled, moving, degraded. Empty where there is none.
std::string state_of(const std::string& status_document);

}  // namespace kvorum::server
