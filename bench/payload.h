// SPDX-License-Identifier: Apache-2.0
// The keys and values of the benchmark: pure functions of the key's number, so that any later run
// can tell a right value from a wrong one. A key is 16 bytes, `key:` (or `ctr:` for counters) and
// twelve digits, the format of redis-benchmark. A value begins with the digits of its key and goes
// on with bytes of a fixed random pool from a place that depends on the key, so that a store which
// compresses gains nothing from values that resemble each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace kvorum::bench {

inline constexpr size_t kKeyDigits = 12;
inline constexpr size_t kKeyBytes = 16;
inline constexpr uint64_t kKeysMax = 1'000'000'000'000;

// Writes the number as exactly twelve digits; it must be below kKeysMax.
void write_digits(char* at, uint64_t number);

class Payload {
 public:
  explicit Payload(size_t value_bytes);

  size_t value_bytes() const { return value_bytes_; }
  void write_value(char* at, uint64_t key) const;
  bool matches(std::string_view value, uint64_t key) const;

 private:
  std::string_view tail(uint64_t key) const;

  size_t value_bytes_;
  std::string pool_;
};

}  // namespace kvorum::bench
