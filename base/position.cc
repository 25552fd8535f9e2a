// SPDX-License-Identifier: Apache-2.0
#include "base/position.h"

#include <array>
#include <cstring>

#include "base/md5.h"

namespace kvorum {
namespace {

// CRC16/XMODEM, the one of the Redis Cluster specification.
constexpr std::array<uint16_t, 256> make_crc_table() {
  std::array<uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) ? (crc << 1) ^ 0x1021 : crc << 1;
    table[byte] = static_cast<uint16_t>(crc);
  }
  return table;
}
constexpr std::array<uint16_t, 256> kCrcTable = make_crc_table();

uint16_t crc16(std::string_view bytes) {
  unsigned crc = 0;
  for (const char c : bytes) {
    crc = ((crc << 8) ^ kCrcTable[((crc >> 8) ^ static_cast<uint8_t>(c)) & 0xff]) & 0xffff;
  }
  return static_cast<uint16_t>(crc);
}

constexpr int kSlotBits = 14;
constexpr size_t kLanesWorthwhile = 3;

Position place(const std::array<uint8_t, 16>& digest, std::string_view key,
               Partitioner partitioner) {
  Position position;
  std::memcpy(&position.high, digest.data(), 8);
  std::memcpy(&position.low, digest.data() + 8, 8);
  position.high = __builtin_bswap64(position.high);
  position.low = __builtin_bswap64(position.low);
  if (partitioner == Partitioner::kSlots) {
    position.high = (position.high >> kSlotBits) | (uint64_t{slot_of(key)} << (64 - kSlotBits));
  }
  return position;
}

}  // namespace

uint16_t slot_of(std::string_view key) {
  const size_t open = key.find('{');
  if (open != std::string_view::npos) {
    const size_t close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) {
      key = key.substr(open + 1, close - open - 1);
    }
  }
  return crc16(key) & 0x3fff;
}

Position position_of(std::string_view key, Partitioner partitioner) {
  return place(md5(key), key, partitioner);
}

void positions_of(std::span<const std::string_view> keys, Partitioner partitioner,
                  Position* positions) {
  // Short keys are gathered until a set of lanes is full; what is left over goes one by one.
  std::string_view lane_keys[kMd5Lanes];
  size_t lane_places[kMd5Lanes];
  size_t lanes = 0;
  std::array<uint8_t, 16> digests[kMd5Lanes];
  for (size_t at = 0; at < keys.size(); ++at) {
    if (keys[at].size() > kMd5LaneBytesMax) {
      positions[at] = position_of(keys[at], partitioner);
      continue;
    }
    lane_keys[lanes] = keys[at];
    lane_places[lanes++] = at;
    if (lanes < kMd5Lanes) continue;
    md5_lanes(lane_keys, digests);
    for (size_t lane = 0; lane < lanes; ++lane) {
      positions[lane_places[lane]] = place(digests[lane], lane_keys[lane], partitioner);
    }
    lanes = 0;
  }
  if (lanes == 0) return;
  if (lanes >= kLanesWorthwhile) {
    for (size_t lane = lanes; lane < kMd5Lanes; ++lane) lane_keys[lane] = "";
    md5_lanes(lane_keys, digests);
  } else {
    for (size_t lane = 0; lane < lanes; ++lane) digests[lane] = md5(lane_keys[lane]);
  }
  for (size_t lane = 0; lane < lanes; ++lane) {
    positions[lane_places[lane]] = place(digests[lane], lane_keys[lane], partitioner);
  }
}

}  // namespace kvorum
