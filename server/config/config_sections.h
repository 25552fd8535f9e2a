// SPDX-License-Identifier: Apache-2.0
// The sections of the configuration file, one function each: from the top-level mapping into the
// part of Config that they fill, problems noted on the way. Which member this node is, and which
// addresses follow from that, is decided by config.cc afterwards. Called by config.cc only.
#pragma once

#include <array>
#include <string_view>

#include "base/status.h"
#include "server/config/config.h"
#include "server/config/config_reader.h"

namespace kvorum::server {

inline constexpr uint32_t kWeightMax = 1000;

// config_sections.cc
Result<EngineType> parse_engine_type(std::string_view text);
void read_engine(const ConfigSection& top, EngineConfig& engine);
void read_reactors(const ConfigSection& top, uint32_t& reactors);
void read_limits(const ConfigSection& top, LimitsConfig& limits);
void read_timing(const ConfigSection& top, TimingConfig& timing);
void read_log(const ConfigSection& top, LogConfig& log);
void read_admin(const ConfigSection& top, ProblemList* problems, AdminConfig& admin);

// config_cluster.cc
void read_cluster(const ConfigSection& top, ProblemList* problems, ClusterConfig& cluster);

// config_keyspaces.cc
void read_keyspaces(const ConfigSection& top, ProblemList* problems,
                    std::array<cluster::KeyspacePolicy, kKeyspacesMax>& keyspaces);

}  // namespace kvorum::server
