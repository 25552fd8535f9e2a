// SPDX-License-Identifier: Apache-2.0
// Who may ask what at the admin address. Pure: rules and a request in, a refusal out.
//
//   - Without a password only this machine is served; with one, other hosts give it by Basic
//     authentication (any user), but for the probes, which need none.
//   - The Host must be an address, or a name that this node listens under or that `admin.hosts`
//     lists: a page elsewhere that makes its own name resolve to this node is not served.
//   - What changes something must come from no other origin, and as JSON: a browser sends neither
//     for a form of another site.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/admin/http.h"
#include "server/config/config.h"

namespace kvorum::server {

struct AdminRules {
  std::vector<std::string> names;  // allowed in Host, in lower case
  bool has_password = false;
  std::function<bool(std::string_view password)> takes_password;
};

// The names that a configuration allows.
std::vector<std::string> admin_names(const Config& config);

// /livez, /readyz, /healthz.
bool is_probe(std::string_view path);

// Nothing where the request may be answered.
std::optional<HttpAnswer> admin_refusal(const HttpRequest& wanted, const AdminRules& rules);

}  // namespace kvorum::server
