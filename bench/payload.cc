// SPDX-License-Identifier: Apache-2.0
#include "bench/payload.h"

#include "base/rng.h"

namespace kvorum::bench {
namespace {

constexpr size_t kPoolStarts = 1 << 14;
constexpr uint64_t kPoolSeed = 0x6b766f72756d;  // fixed: a later run must know the same values

constexpr auto kDigitPairs = [] {
  struct {
    char text[200];
  } pairs{};
  for (int i = 0; i < 100; ++i) {
    pairs.text[2 * i] = static_cast<char>('0' + i / 10);
    pairs.text[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

void write_six_digits(char* at, uint32_t number) {
  const uint32_t high = number / 10000;
  const uint32_t low = number % 10000;
  std::memcpy(at, kDigitPairs.text + 2 * high, 2);
  std::memcpy(at + 2, kDigitPairs.text + 2 * (low / 100), 2);
  std::memcpy(at + 4, kDigitPairs.text + 2 * (low % 100), 2);
}

}  // namespace

void write_digits(char* at, uint64_t number) {
  write_six_digits(at, static_cast<uint32_t>(number / 1'000'000));
  write_six_digits(at + 6, static_cast<uint32_t>(number % 1'000'000));
}

Payload::Payload(size_t value_bytes) : value_bytes_(value_bytes) {
  Rng rng(kPoolSeed);
  pool_.resize(kPoolStarts + value_bytes);
  for (char& byte : pool_) byte = static_cast<char>(rng.next());
}

std::string_view Payload::tail(uint64_t key) const {
  const uint64_t start = (key * 0x9e3779b97f4a7c15ULL) >> 50;  // 14 bits: below kPoolStarts
  return std::string_view(pool_).substr(start, value_bytes_ - std::min(value_bytes_, kKeyDigits));
}

void Payload::write_value(char* at, uint64_t key) const {
  char digits[kKeyDigits];
  write_digits(digits, key);
  const size_t head = std::min(value_bytes_, kKeyDigits);
  std::memcpy(at, digits + kKeyDigits - head, head);
  const std::string_view rest = tail(key);
  std::memcpy(at + head, rest.data(), rest.size());
}

bool Payload::matches(std::string_view value, uint64_t key) const {
  if (value.size() != value_bytes_) return false;
  char digits[kKeyDigits];
  write_digits(digits, key);
  const size_t head = std::min(value_bytes_, kKeyDigits);
  if (std::memcmp(value.data(), digits + kKeyDigits - head, head) != 0) return false;
  const std::string_view rest = tail(key);
  return std::memcmp(value.data() + head, rest.data(), rest.size()) == 0;
}

}  // namespace kvorum::bench
