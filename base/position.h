// SPDX-License-Identifier: Apache-2.0
// Positions on the ring of 2^128 (paper 4.2): position(key) = MD5(key), or with the slots
// partitioner the Redis Cluster slot in the top 14 bits. KeyRef is a key with its place: computed
// once per request, carried in every frame about that key, never hashed again.
#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <string_view>

namespace kvorum {

struct Position {
  uint64_t high = 0;  // the 64 most significant bits; stored keys are ordered by them
  uint64_t low = 0;
  constexpr auto operator<=>(const Position&) const = default;
};

enum class Partitioner : uint8_t { kMd5, kSlots };

Position position_of(std::string_view key, Partitioner partitioner = Partitioner::kMd5);

// The same for many keys, cheaper than one by one: for the keys of a pipeline.
void positions_of(std::span<const std::string_view> keys, Partitioner partitioner,
                  Position* positions);

// The Redis Cluster slot of a key, 0..16383: CRC16 of its hash tag `{...}` or of all of it.
uint16_t slot_of(std::string_view key);

// The partition that holds a position, where partition_bits = log2(Q); Q = 1 has zero bits.
inline uint32_t partition_of(Position position, int partition_bits) {
  return partition_bits == 0 ? 0 : static_cast<uint32_t>(position.high >> (64 - partition_bits));
}

// A key (borrowed) with its keyspace (Redis database number, 0..15) and position.
struct KeyRef {
  std::string_view key;
  Position position;
  uint8_t keyspace = 0;
};

inline constexpr int kKeyspacesMax = 16;
// A set of keyspaces: bit k is keyspace k.
using KeyspaceMask = uint16_t;
inline constexpr KeyspaceMask kAllKeyspaces = 0xffff;
constexpr KeyspaceMask mask_of(uint8_t keyspace) {
  return static_cast<KeyspaceMask>(1u << keyspace);
}
inline constexpr uint64_t kKeyBytesMax = 64 * 1024;
inline constexpr uint64_t kValueBytesMax = 512ULL * 1024 * 1024;

}  // namespace kvorum
