// SPDX-License-Identifier: Apache-2.0
// `cluster.members` of the configuration file, as a kind of value (config_kinds.h): the founding
// members one by one, checked against each other. Used by the table of keys.
#pragma once

#include <string_view>
#include <vector>

#include "server/config/config.h"
#include "server/config/config_row.h"

namespace kvorum::server {

inline constexpr uint32_t kWeightMax = 1000;

struct MembersKind {
  void read(const ConfigSection& section, std::string_view key,
            std::vector<FounderConfig>& founders) const;
  ShownValue shown(const std::vector<FounderConfig>& founders) const;
};

}  // namespace kvorum::server
