// SPDX-License-Identifier: Apache-2.0
// MD5 (RFC 1321) as the ring's hash (paper 4.2), in plain code: a request hashes one short key, and
// the set-up of a general library costs more than the digest. Not used for anything secret.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace kvorum {

// The 16 digest bytes in the order of the RFC.
std::array<uint8_t, 16> md5(std::string_view bytes);

// kMd5Lanes messages of at most kMd5LaneBytesMax bytes at once, for about the price of one and a
// half.
inline constexpr size_t kMd5Lanes = 8;
inline constexpr size_t kMd5LaneBytesMax = 55;
void md5_lanes(const std::string_view* messages, std::array<uint8_t, 16>* digests);

}  // namespace kvorum
