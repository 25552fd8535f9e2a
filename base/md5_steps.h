// SPDX-License-Identifier: Apache-2.0
// The 64 steps of MD5 (RFC 1321 section 3.4) over any type with 32-bit arithmetic: one word, or a
// vector of them. Only md5.cc and md5_lanes.cc include it.
#pragma once

#include <cstdint>

namespace kvorum {

inline constexpr uint32_t kMd5Start[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};

// floor(2^32 * |sin(n + 1)|), RFC 1321 section 3.4.
inline constexpr uint32_t kMd5Sines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

}  // namespace kvorum

#define KVORUM_MD5_F(x, y, z) (z ^ (x & (y ^ z)))
#define KVORUM_MD5_G(x, y, z) (y ^ (z & (x ^ y)))
#define KVORUM_MD5_H(x, y, z) (x ^ y ^ z)
#define KVORUM_MD5_I(x, y, z) (y ^ (x | ~z))

// a = b + ((a + F(b, c, d) + word + sine) rotated left by SHIFT)
#define KVORUM_MD5_STEP(F, a, b, c, d, SHIFT, WORD, SINE) \
  a += KVORUM_MD5_##F(b, c, d) + (WORD) + (SINE);         \
  a = b + ((a << SHIFT) | (a >> (32 - SHIFT)));

// Four steps of one round from step N on; the round takes its words at (FIRST + n * STRIDE) mod 16.
#define KVORUM_MD5_FOUR(F, S0, S1, S2, S3, FIRST, STRIDE, BASE, N, W)                             \
  KVORUM_MD5_STEP(F, a, b, c, d, S0, W[(FIRST + (N + 0) * STRIDE) & 15], kMd5Sines[BASE + N + 0]) \
  KVORUM_MD5_STEP(F, d, a, b, c, S1, W[(FIRST + (N + 1) * STRIDE) & 15], kMd5Sines[BASE + N + 1]) \
  KVORUM_MD5_STEP(F, c, d, a, b, S2, W[(FIRST + (N + 2) * STRIDE) & 15], kMd5Sines[BASE + N + 2]) \
  KVORUM_MD5_STEP(F, b, c, d, a, S3, W[(FIRST + (N + 3) * STRIDE) & 15], kMd5Sines[BASE + N + 3])

#define KVORUM_MD5_ROUND(F, S0, S1, S2, S3, FIRST, STRIDE, BASE, W) \
  KVORUM_MD5_FOUR(F, S0, S1, S2, S3, FIRST, STRIDE, BASE, 0, W)     \
  KVORUM_MD5_FOUR(F, S0, S1, S2, S3, FIRST, STRIDE, BASE, 4, W)     \
  KVORUM_MD5_FOUR(F, S0, S1, S2, S3, FIRST, STRIDE, BASE, 8, W)     \
  KVORUM_MD5_FOUR(F, S0, S1, S2, S3, FIRST, STRIDE, BASE, 12, W)

#define KVORUM_MD5_ALL_STEPS(W)                   \
  KVORUM_MD5_ROUND(F, 7, 12, 17, 22, 0, 1, 0, W)  \
  KVORUM_MD5_ROUND(G, 5, 9, 14, 20, 1, 5, 16, W)  \
  KVORUM_MD5_ROUND(H, 4, 11, 16, 23, 5, 3, 32, W) \
  KVORUM_MD5_ROUND(I, 6, 10, 15, 21, 0, 7, 48, W)
