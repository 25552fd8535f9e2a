// SPDX-License-Identifier: Apache-2.0
// Fixed-width little-endian numbers, varints and length-prefixed bytes, for frames, records and
// tokens. Writers append to a std::string; ByteReader checks every bound and never throws: after a
// bad read ok() is false and everything it returns is zero or empty.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace kvorum {

inline void put_u8(std::string& out, uint8_t value) { out.push_back(static_cast<char>(value)); }

template <class T>
inline void put_fixed(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}
inline void put_u16(std::string& out, uint16_t value) { put_fixed(out, value); }
inline void put_u32(std::string& out, uint32_t value) { put_fixed(out, value); }
inline void put_u64(std::string& out, uint64_t value) { put_fixed(out, value); }

// Big endian, where the byte order of keys on disk must be the order of numbers.
inline void put_u64_big_endian(std::string& out, uint64_t value) {
  put_fixed(out, __builtin_bswap64(value));
}

// What has few bytes and many parts: a string takes them at once.
template <size_t kMax>
class FixedBytes {
 public:
  std::string_view view() const { return {bytes_, size_}; }
  template <class T>
  void put(T value) {
    std::memcpy(bytes_ + size_, &value, sizeof(T));
    size_ += sizeof(T);
  }

 private:
  char bytes_[kMax];
  size_t size_ = 0;
};
template <size_t kMax>
void put_u8(FixedBytes<kMax>& out, uint8_t value) {
  out.put(value);
}
template <size_t kMax>
void put_u16(FixedBytes<kMax>& out, uint16_t value) {
  out.put(value);
}
template <size_t kMax>
void put_u32(FixedBytes<kMax>& out, uint32_t value) {
  out.put(value);
}
template <size_t kMax>
void put_u64(FixedBytes<kMax>& out, uint64_t value) {
  out.put(value);
}

inline void put_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

inline void put_bytes(std::string& out, std::string_view bytes) {
  put_varint(out, bytes.size());
  out.append(bytes);
}

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

  uint8_t u8() { return fixed<uint8_t>(); }
  uint16_t u16() { return fixed<uint16_t>(); }
  uint32_t u32() { return fixed<uint32_t>(); }
  uint64_t u64() { return fixed<uint64_t>(); }
  uint64_t u64_big_endian() { return __builtin_bswap64(fixed<uint64_t>()); }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = u8();
      if (shift == 63 && byte > 1) break;  // more than 64 bits
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (!(byte & 0x80)) return ok_ ? value : 0;
    }
    fail();
    return 0;
  }

  std::string_view take(uint64_t size) {
    if (!ok_ || size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view bytes() { return take(varint()); }

 private:
  template <class T>
  T fixed() {
    T value{};
    if (!ok_ || rest_.size() < sizeof(T)) {
      fail();
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof(T));
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  void fail() {
    ok_ = false;
    rest_ = {};
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace kvorum
