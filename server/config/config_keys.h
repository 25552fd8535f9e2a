// SPDX-License-Identifier: Apache-2.0
// Every key of the configuration file, a row each, in the order in which they are shown. Reading,
// `kvorum config show` and what may change live follow from it: a new key is a member of Config, a
// row here, and its line in docs/CONFIGURATION.md; one that changes live is taken in
// Node::reload().
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "server/config/config_row.h"

namespace kvorum::server {

std::span<const ConfigRow<Config>> config_keys();

// The rows of a section, of those of the top the one of this name.
std::span<const ConfigRow<Config>> keys_of_section(std::string_view section);
// Of the top: sections, and keys without one.
std::vector<std::string_view> top_names();

// Which member this node is, and which addresses follow from that, is decided afterwards.
void read_keys(const ConfigSection& top, Config& config);

}  // namespace kvorum::server
