// SPDX-License-Identifier: Apache-2.0
// Fast 64-bit hashes (xxHash). Not for ring positions (MD5, base/position.h) nor for what an
// adversary may forge (SipHash, base/siphash.h).
#pragma once

#ifndef __clang_analyzer__  // it does not know what sizes xxHash excludes
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

#include <cstdint>
#include <string_view>

namespace kvorum {

inline uint64_t hash_seeded(std::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}
// hash_seeded() of bytes that come in parts.
class HashStream {
 public:
  explicit HashStream(uint64_t seed) { XXH3_64bits_reset_withSeed(&state_, seed); }
  void add(std::string_view bytes) { XXH3_64bits_update(&state_, bytes.data(), bytes.size()); }
  uint64_t value() const { return XXH3_64bits_digest(&state_); }

 private:
  XXH3_state_t state_{};
};
inline uint64_t xxh64(std::string_view bytes, uint64_t seed = 0) {
  return XXH64(bytes.data(), bytes.size(), seed);
}
inline uint32_t checksum32(std::string_view bytes) {
  return static_cast<uint32_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

}  // namespace kvorum
