// SPDX-License-Identifier: Apache-2.0
#include "base/md5.h"

#include <cstring>

#include "base/md5_steps.h"

namespace kvorum {
namespace {

constexpr size_t kBlockBytes = 64;

struct State {
  uint32_t a = kMd5Start[0], b = kMd5Start[1], c = kMd5Start[2], d = kMd5Start[3];
};

void compress(State& state, const char* block) {
  uint32_t w[16];
  std::memcpy(w, block, kBlockBytes);
  uint32_t a = state.a, b = state.b, c = state.c, d = state.d;
  KVORUM_MD5_ALL_STEPS(w)
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
