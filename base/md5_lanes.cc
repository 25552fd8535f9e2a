// SPDX-License-Identifier: Apache-2.0
// MD5 of eight short messages side by side, one per lane of a vector register: MD5 is one long
// chain of dependent steps, so a core that hashes one key at a time is mostly waiting. GCC's
// generic vectors; with AVX2 a register holds all eight lanes, without it the compiler uses two.
#include <cstring>

#include "base/md5.h"
#include "base/md5_steps.h"

namespace kvorum {
namespace {

using Lanes = uint32_t __attribute__((vector_size(4 * kMd5Lanes)));

struct LaneBlock {
  Lanes words[16];
};

// Message n with its padding in lane n. Every message fits into one block.
void fill(const std::string_view* messages, LaneBlock& block) {
  uint32_t bytes[kMd5Lanes][16];
  for (size_t lane = 0; lane < kMd5Lanes; ++lane) {
    char* at = reinterpret_cast<char*>(bytes[lane]);
    const std::string_view message = messages[lane];
    std::memset(at, 0, sizeof bytes[lane]);
    std::memcpy(at, message.data(), message.size());
    at[message.size()] = static_cast<char>(0x80);
    bytes[lane][14] = static_cast<uint32_t>(message.size() * 8);
  }
  for (size_t word = 0; word < 16; ++word) {
    for (size_t lane = 0; lane < kMd5Lanes; ++lane) block.words[word][lane] = bytes[lane][word];
  }
}

// Not under the thread sanitizer: its hooks would run in the resolver, before it is set up.
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
__attribute__((target_clones("avx2", "default")))
#endif
void compress_lanes(const LaneBlock& block, Lanes state[4]) {
  Lanes a = state[0], b = state[1], c = state[2], d = state[3];
  KVORUM_MD5_ALL_STEPS(block.words)
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
}

}  // namespace

void md5_lanes(const std::string_view* messages, std::array<uint8_t, 16>* digests) {
  LaneBlock block;
  fill(messages, block);
  Lanes state[4];
  for (int n = 0; n < 4; ++n) state[n] = Lanes{} + kMd5Start[n];
  compress_lanes(block, state);
  for (size_t lane = 0; lane < kMd5Lanes; ++lane) {
    const uint32_t words[4] = {state[0][lane], state[1][lane], state[2][lane], state[3][lane]};
    std::memcpy(digests[lane].data(), words, sizeof words);
  }
}

}  // namespace kvorum
