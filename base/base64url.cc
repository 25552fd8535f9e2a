// SPDX-License-Identifier: Apache-2.0
#include "base/base64url.h"

#include <array>
#include <cstdint>

namespace kvorum {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<int8_t, 256> make_values() {
  std::array<int8_t, 256> values{};
  for (auto& value : values) value = -1;
  for (int n = 0; n < 64; ++n) values[static_cast<uint8_t>(kAlphabet[n])] = static_cast<int8_t>(n);
  return values;
}
constexpr std::array<int8_t, 256> kValues = make_values();

}  // namespace

std::string base64url_encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  uint32_t held = 0;
  int held_bits = 0;
  for (const char c : bytes) {
    held = (held << 8) | static_cast<uint8_t>(c);
    for (held_bits += 8; held_bits >= 6; held_bits -= 6) {
      text.push_back(kAlphabet[(held >> (held_bits - 6)) & 63]);
    }
  }
  if (held_bits > 0) text.push_back(kAlphabet[(held << (6 - held_bits)) & 63]);
  return text;
}

std::optional<std::string> base64url_decode(std::string_view text) {
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  uint32_t held = 0;
  int held_bits = 0;
  for (const char c : text) {
    const int8_t value = kValues[static_cast<uint8_t>(c)];
    if (value < 0) return std::nullopt;
    held = (held << 6) | static_cast<uint32_t>(value);
    held_bits += 6;
    if (held_bits >= 8) {
      held_bits -= 8;
      bytes.push_back(static_cast<char>(held >> held_bits));
    }
  }
  if (held & ((1u << held_bits) - 1)) return std::nullopt;
  return bytes;
}

}  // namespace kvorum
