// SPDX-License-Identifier: Apache-2.0
// How many CPUs this process may use: its affinity mask and the quota of its control group, which
// in a container is far below what the machine has. For `reactors: auto`. Called at start-up.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kvorum::server {

// At least 1.
uint32_t usable_cpus();

// The quota in `cpu.max` ("200000 100000": two CPUs), rounded up; none for "max" or nonsense.
std::optional<uint32_t> cpus_of_quota(std::string_view cpu_max);

}  // namespace kvorum::server
