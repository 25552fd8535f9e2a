// SPDX-License-Identifier: Apache-2.0
// Which keys of the configuration can change while a node runs, and how two configurations differ.
// Pure. A key that becomes changeable is a row in the table of live_config.cc, and whoever acts on
// it takes the new value in Node::reload().
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
