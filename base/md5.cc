// SPDX-License-Identifier: Apache-2.0
#include "base/md5.h"

#include <bit>
#include <cstring>

namespace kvorum {
namespace {

constexpr size_t kBlockBytes = 64;

struct State {
  uint32_t a = 0x67452301, b = 0xefcdab89, c = 0x98badcfe, d = 0x10325476;
};

// One step of a round: `mixed` is the round's function of b, c, d.
template <int kShift>  // tidy-allow: parameters the step as the RFC has it
inline void step(uint32_t& a, uint32_t b, uint32_t mixed, uint32_t word, uint32_t constant) {
  a = b + std::rotl(a + mixed + word + constant, kShift);
}

inline uint32_t f(uint32_t x, uint32_t y, uint32_t z) { return z ^ (x & (y ^ z)); }
inline uint32_t g(uint32_t x, uint32_t y, uint32_t z) { return (x & z) + (y & ~z); }
inline uint32_t h(uint32_t x, uint32_t y, uint32_t z) { return x ^ y ^ z; }
inline uint32_t i(uint32_t x, uint32_t y, uint32_t z) { return y ^ (x | ~z); }

// Sixteen steps of one round: words are taken at (start + n * stride) mod 16.
#define KVORUM_MD5_ROUND(F, S0, S1, S2, S3, START, STRIDE, K)                 \
  for (int n = 0; n < 16; n += 4) {                                           \
    step<S0>(a, b, F(b, c, d), w[(START + n * STRIDE) & 15], K[n]);           \
    step<S1>(d, a, F(a, b, c), w[(START + (n + 1) * STRIDE) & 15], K[n + 1]); \
    step<S2>(c, d, F(d, a, b), w[(START + (n + 2) * STRIDE) & 15], K[n + 2]); \
    step<S3>(b, c, F(c, d, a), w[(START + (n + 3) * STRIDE) & 15], K[n + 3]); \
  }

// floor(2^32 * |sin(n + 1)|), RFC 1321 section 3.4.
constexpr uint32_t kSines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

void compress(State& state, const char* block) {
  uint32_t w[16];
  std::memcpy(w, block, kBlockBytes);
  uint32_t a = state.a, b = state.b, c = state.c, d = state.d;
#pragma GCC unroll 4
  KVORUM_MD5_ROUND(f, 7, 12, 17, 22, 0, 1, kSines)
#pragma GCC unroll 4
  KVORUM_MD5_ROUND(g, 5, 9, 14, 20, 1, 5, (kSines + 16))
#pragma GCC unroll 4
  KVORUM_MD5_ROUND(h, 4, 11, 16, 23, 5, 3, (kSines + 32))
#pragma GCC unroll 4
  KVORUM_MD5_ROUND(i, 6, 10, 15, 21, 0, 7, (kSines + 48))
  state.a += a;
  state.b += b;
  state.c += c;
  state.d += d;
}

}  // namespace

std::array<uint8_t, 16> md5(std::string_view bytes) {
  State state;
  std::string_view rest = bytes;
  for (; rest.size() >= kBlockBytes; rest.remove_prefix(kBlockBytes)) compress(state, rest.data());

  char last[2 * kBlockBytes] = {};
  if (!rest.empty()) std::memcpy(last, rest.data(), rest.size());
  last[rest.size()] = static_cast<char>(0x80);
  const size_t padded = rest.size() + 9 <= kBlockBytes ? kBlockBytes : 2 * kBlockBytes;
  const uint64_t bits = static_cast<uint64_t>(bytes.size()) * 8;
  std::memcpy(last + padded - 8, &bits, 8);
  compress(state, last);
  if (padded > kBlockBytes) compress(state, last + kBlockBytes);

  std::array<uint8_t, 16> digest;
  std::memcpy(digest.data(), &state, digest.size());
  return digest;
}

}  // namespace kvorum
