// SPDX-License-Identifier: Apache-2.0
// SipHash-2-4 (Aumasson and Bernstein): a short keyed MAC for context tokens.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace kvorum {

using MacKey = std::array<uint64_t, 2>;

uint64_t siphash(const MacKey& key, std::string_view bytes);

}  // namespace kvorum
