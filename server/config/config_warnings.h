// SPDX-License-Identifier: Apache-2.0
// What a configuration may say and probably does not mean: `kvorum config check` prints it as
// warnings (`--strict`: as mistakes), a node that starts logs it. Used by config.cc only.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string_view>
#include <vector>

#include "server/config/config.h"

namespace kvorum::server {

// A secret of fewer bytes is a word that can be guessed.
inline constexpr size_t kSecretBytesMin = 16;

// Of a document in which no problem was found.
std::vector<Problem> find_warnings(const YAML::Node& root, const ConfigReport& report,
                                   std::string_view file);

}  // namespace kvorum::server
