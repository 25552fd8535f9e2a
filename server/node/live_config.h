// SPDX-License-Identifier: Apache-2.0
// How two configurations differ, and what of a new one a node takes while it runs: the table of
// keys says which can change (server/config/config_keys.h). Pure. Whoever acts on a key that
// becomes changeable takes the new value in Node::reload().
#pragma once

#include <string>
#include <vector>

#include "server/config/config.h"

namespace kvorum::server {

struct ConfigChange {
  std::string key;       // limits.clients
  std::string from, to;  // as the file would say it; secrets masked
  bool live = false;     // else it needs a restart

  bool operator==(const ConfigChange&) const = default;
};

std::vector<ConfigChange> config_changes(const Config& running, const Config& fresh);

// `running` with what of `fresh` can change.
Config with_live_part(const Config& running, const Config& fresh);

}  // namespace kvorum::server
