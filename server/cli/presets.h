// SPDX-License-Identifier: Apache-2.0
// The usual ways to use the store, by name (paper 6, the patterns of use): `--preset` in place of a
// file. Each has a commented file in conf/, for a cluster.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace kvorum::server {

struct Preset {
  std::string_view name;
  std::string_view settings;  // YAML: keyspaces and engine
};

std::span<const Preset> presets();
// Null where there is none of that name.
const Preset* find_preset(std::string_view name);
// "cart, session, catalogue or cache"
std::string preset_names();

}  // namespace kvorum::server
