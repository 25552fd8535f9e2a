// SPDX-License-Identifier: Apache-2.0
// The hints of a node as operators see them: a row for each other member, and for each node that
// is none and has hints. Pure.
#pragma once

#include "base/time.h"
#include "cluster/copies/hint_ledger.h"
#include "server/status/node_status.h"

namespace kvorum::server {

// REQUIRES: the status has its members.
void add_hint_rows(const cluster::HintLedger& ledger, Now now, NodeStatus* status);

}  // namespace kvorum::server
