// SPDX-License-Identifier: Apache-2.0
// What the admin address answers: /livez, /readyz, /healthz, /metrics and the JSON API under
// /api/v1. Pure but for asking the node for its status; runs on the admin server's thread.
#pragma once

#include "server/admin/http.h"
#include "server/node.h"

namespace kvorum::server {

HttpAnswer admin_answer(Node& node, const HttpRequest& wanted);

}  // namespace kvorum::server
