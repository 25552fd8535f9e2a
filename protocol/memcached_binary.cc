// SPDX-License-Identifier: Apache-2.0
#include "protocol/memcached_binary.h"

#include <algorithm>
#include <array>

namespace kvorum::protocol {
namespace {

// The header of requests and responses: magic, opcode, key length (2), length of extras, data type,
// vbucket or status (2), length of the body (4), opaque (4), cas (8). Big endian.
constexpr size_t kHeaderBytes = 24;
constexpr size_t kOpcodeAt = 1;
constexpr size_t kStatusAt = 6;
constexpr size_t kBodyLengthAt = 11;  // its lowest byte
constexpr size_t kOpaqueAt = 12, kOpaqueBytes = 4;
constexpr char kResponseMagic = '\x81';
constexpr char kUnknownCommand = '\x81';  // status 0x0081
constexpr std::string_view kText = "Unknown command";

}  // namespace

std::string refuse_memcached_binary(std::string_view input) {
  std::array<char, kHeaderBytes> request{};
  std::copy_n(input.data(), std::min(input.size(), kHeaderBytes), request.data());
  std::string response(kHeaderBytes, '\0');
  response[0] = kResponseMagic;
  response[kOpcodeAt] = request[kOpcodeAt];
  response[kStatusAt + 1] = kUnknownCommand;
  response[kBodyLengthAt] = static_cast<char>(kText.size());
  std::copy_n(request.data() + kOpaqueAt, kOpaqueBytes, response.data() + kOpaqueAt);
  return response.append(kText);
}

}  // namespace kvorum::protocol
