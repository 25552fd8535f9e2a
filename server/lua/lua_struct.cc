// SPDX-License-Identifier: Apache-2.0
// The library `struct` of scripts: numbers and strings in binary, by a format of letters.
//   > < big, little endian    ! [n] alignment     x a zero byte
//   b B h H l L T integers of 1, 2, 8 and 8 bytes, i[n] I[n] of n    f d floating point
//   s a string up to its zero    c[n] n bytes, c0 as many as the number before says
#include <bit>
#include <cctype>
#include <climits>
#include <cstdint>
#include <cstring>
#include <string>

#include "server/lua/lua_libraries.h"

namespace kvorum::server {
namespace {

constexpr size_t kIntegerBytesMax = 32;
constexpr size_t kAlignmentMax = 8;

// Reads a format, option by option.
class Format {
 public:
  Format(lua_State* state, const char* text) : state_(state), next_(text) {}

  // The next option that is about a value; 0 at the end. `size` is what it occupies, 0 where its
  // value says.
  char next(size_t* size) {
    while (*next_ != '\0') {
      const char option = *next_++;
      if (std::strchr("bBhHlLTiIfdxcs", option) == nullptr) {
        control(option);
        continue;
      }
      *size = size_of(option);
      return option;
    }
    return 0;
  }
  bool is_big_endian() const { return big_endian_; }
  // Bytes that stand before an option at this offset.
  size_t padding(char option, size_t size, size_t offset) const {
    if (size == 0 || option == 'c' || option == 's') return 0;
    const size_t unit = std::min(size, alignment_);
    return unit <= 1 ? 0 : (unit - (offset & (unit - 1))) & (unit - 1);
  }

 private:
  void control(char option) {
    if (option == ' ') return;
    if (option == '>' || option == '<') {
      big_endian_ = option == '>';
    } else if (option == '!') {
      alignment_ = number(kAlignmentMax);
      if (!std::has_single_bit(alignment_)) {
        luaL_error(state_, "alignment %d is not a power of 2", static_cast<int>(alignment_));
      }
    } else {
      luaL_argerror(state_, 1, lua_pushfstring(state_, "invalid format option '%c'", option));
    }
  }

  size_t number(size_t otherwise) {
    if (!std::isdigit(static_cast<unsigned char>(*next_))) return otherwise;
    size_t value = 0;
    while (std::isdigit(static_cast<unsigned char>(*next_))) {
      value = value * 10 + static_cast<size_t>(*next_++ - '0');
      if (value > INT_MAX) luaL_error(state_, "integral size overflow");
    }
    return value;
  }

  size_t size_of(char option) {
    switch (option) {
      case 'h':
      case 'H':
        return 2;
      case 'f':
        return 4;
      case 'l':
      case 'L':
      case 'T':
      case 'd':
        return 8;
      case 'i':
      case 'I': {
        const size_t size = number(sizeof(int));
        if (size > kIntegerBytesMax) {
          luaL_error(state_, "integral size %d is larger than limit of %d", static_cast<int>(size),
                     static_cast<int>(kIntegerBytesMax));
        }
        return size;
      }
      case 'c':
        return number(1);
      case 's':
        return 0;
      default:
        return 1;
    }
  }

  lua_State* const state_;
  const char* next_;
  bool big_endian_ = false;
  size_t alignment_ = 1;
};

void put_bytes_of(std::string& out, uint64_t value, size_t size, bool big_endian) {
  const size_t begin = out.size();
  out.resize(begin + size);
  for (size_t at = 0; at < size; ++at, value >>= 8) {
    out[big_endian ? begin + size - 1 - at : begin + at] = static_cast<char>(value & 0xff);
  }
}

uint64_t get_bytes_of(const char* bytes, size_t size, bool big_endian) {
  uint64_t value = 0;
  for (size_t at = 0; at < size; ++at) {
    const char byte = bytes[big_endian ? at : size - 1 - at];
    value = value << 8 | static_cast<unsigned char>(byte);
  }
  return value;
}

uint64_t as_integer(lua_Number number) {
  constexpr lua_Number kSignedEnd = 9223372036854775808.0;
  if (number >= kSignedEnd) {
    return number < 2 * kSignedEnd ? static_cast<uint64_t>(number) : uint64_t{1} << 63;
  }
  if (!(number >= -kSignedEnd)) return uint64_t{1} << 63;
  return static_cast<uint64_t>(static_cast<int64_t>(number));
}

uint64_t bits_of(char option, lua_Number number) {
  if (option == 'd') return std::bit_cast<uint64_t>(number);
  if (option == 'f') return std::bit_cast<uint32_t>(static_cast<float>(number));
  return as_integer(number);
}

lua_Number number_of(char option, uint64_t bits, size_t size) {
  if (option == 'd') return std::bit_cast<double>(bits);
  if (option == 'f') return static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  const bool is_signed = std::islower(static_cast<unsigned char>(option)) != 0;
  if (!is_signed) return static_cast<lua_Number>(bits);
  if (size < 8) {
    const uint64_t sign = ~uint64_t{0} << (size * 8 - 1);
    if (size > 0 && (bits & sign) != 0) bits |= sign;
  }
  return static_cast<lua_Number>(static_cast<int64_t>(bits));
}

// The argument's first `size` bytes; all of it for 0.
std::string_view text_of(lua_State* state, int argument, size_t size) {
  luaL_checkstring(state, argument);
  const std::string_view text = lua_text(state, argument);
  luaL_argcheck(state, text.size() >= size, argument + 1, "string too short");
  return size == 0 ? text : text.substr(0, size);
}

int pack(lua_State* state) {
  Format format(state, luaL_checkstring(state, 1));
  lua_pushnil(state);  // what a missing argument is
  std::string out;
  int argument = 1;
  size_t size = 0;
  while (const char option = format.next(&size)) {
    out.append(format.padding(option, size, out.size()), '\0');
    if (option == 'x') {
      out += '\0';
    } else if (option == 's' || option == 'c') {
      out.append(text_of(state, ++argument, size));
      if (option == 's') out += '\0';
    } else {
      const uint64_t bits = bits_of(option, luaL_checknumber(state, ++argument));
      put_bytes_of(out, bits, size, format.is_big_endian());
    }
  }
  lua_push_text(state, out);
  return 1;
}

// Pushes the string at `at`; its size behind it, with a zero that ends it.
size_t unpack_text(lua_State* state, char option, size_t size, std::string_view rest) {
  if (option == 's') {
    const size_t end = rest.find('\0');
    if (end == std::string_view::npos) luaL_error(state, "unfinished string in data");
    lua_push_text(state, rest.substr(0, end));
    return end + 1;
  }
  if (size == 0) {
    if (!lua_isnumber(state, -1)) luaL_error(state, "format 'c0' needs a previous size");
    const lua_Number before = lua_tonumber(state, -1);
    lua_pop(state, 1);
    luaL_argcheck(state, before >= 0 && before <= static_cast<lua_Number>(rest.size()), 2,
                  "data string too short");
    size = static_cast<size_t>(before);
  }
  lua_push_text(state, rest.substr(0, size));
  return size;
}

int unpack(lua_State* state) {
  Format format(state, luaL_checkstring(state, 1));
  luaL_checkstring(state, 2);
  const std::string_view data = lua_text(state, 2);
  const lua_Integer first = luaL_optinteger(state, 3, 1);
  luaL_argcheck(state, first > 0, 3, "offset must be 1 or greater");
  size_t at = static_cast<size_t>(first) - 1;
  lua_settop(state, 2);
  size_t size = 0;
  while (const char option = format.next(&size)) {
    at += format.padding(option, size, at);
    luaL_argcheck(state, at <= data.size() && size <= data.size() - at, 2, "data string too short");
    luaL_checkstack(state, 2, "too many results");
    if (option == 'x') {
      ++at;
    } else if (option == 's' || option == 'c') {
      if (size == 0 && option == 'c' && lua_gettop(state) == 2) lua_pushnil(state);
      at += unpack_text(state, option, size, data.substr(at));
    } else {
      const uint64_t bits = get_bytes_of(data.data() + at, size, format.is_big_endian());
      lua_pushnumber(state, number_of(option, bits, size));
      at += size;
    }
  }
  lua_pushinteger(state, static_cast<lua_Integer>(at + 1));
  return lua_gettop(state) - 2;
}

int size_of_format(lua_State* state) {
  Format format(state, luaL_checkstring(state, 1));
  size_t total = 0, size = 0;
  while (const char option = format.next(&size)) {
    total += format.padding(option, size, total);
    if (option == 's') luaL_argerror(state, 1, "option 's' has no fixed size");
    if (option == 'c' && size == 0) luaL_argerror(state, 1, "option 'c0' has no fixed size");
    total += size;
  }
  lua_pushinteger(state, static_cast<lua_Integer>(total));
  return 1;
}

}  // namespace

int open_struct(lua_State* state) {
  lua_newtable(state);
  lua_set_function(state, "pack", pack);
  lua_set_function(state, "unpack", unpack);
  lua_set_function(state, "size", size_of_format);
  return 1;
}

}  // namespace kvorum::server
