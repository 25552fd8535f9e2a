// SPDX-License-Identifier: Apache-2.0
// `keyspaces` of the configuration file, as a kind of value (config_kinds.h): the policy of each
// database. An entry inherits from `default`, and so does a database without an entry. Used by the
// table of keys.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "server/config/config.h"
#include "server/config/config_row.h"

namespace kvorum::server {

struct KeyspacesKind {
  using Policies = std::array<cluster::KeyspacePolicy, kKeyspacesMax>;

  void read(const ConfigSection& section, std::string_view key, Policies& keyspaces) const;
  ShownValue shown(const Policies& keyspaces) const;
};

// What differs between two policies, as the file writes it: `n 3 -> 5`, `sloppy true -> false`.
std::vector<std::string> policy_differences(const cluster::KeyspacePolicy& is,
                                            const cluster::KeyspacePolicy& wanted);

}  // namespace kvorum::server
