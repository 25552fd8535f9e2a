// SPDX-License-Identifier: Apache-2.0
// Reads requests of memcached's binary protocol (memcached_frame.h). One parser per connection that
// began with its magic; no I/O, no copy of keys or values. What a request lacks is answered as
// memcached 1.6 answers it (checked against 1.6.18).
//
// Deliberate differences from memcached: a frame that makes no sense is answered when its header is
// there, not when as many bytes as it names are; of an unknown command exactly its body is passed
// over; a `stat` with more than a key ends the connection, as other commands of a wrong shape do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/memcached_frame.h"
#include "protocol/memcached_parser.h"
#include "protocol/parse_result.h"

namespace kvorum::protocol {

// Views point into the input.
struct MemcachedBinaryRequest {
  MemcachedOpcode command{};  // of a quiet one: its loud form
  uint8_t opcode = 0;         // as it came
  uint32_t opaque = 0;        // as it came
  bool quiet = false;
  bool closes = false;  // the connection ends with the answer
  // Not kOk: the answer; nothing is executed. The key of a set that is too large is there:
  // memcached deletes its value.
  MemcachedStatus status = MemcachedStatus::kOk;
  std::string_view key = {}, value = {};
  uint32_t flags = 0;
  uint32_t exptime = 0;  // without a sign, unlike that of the text protocol
  bool creates = false;  // increment, decrement: `initial` where there is no value
  uint64_t cas = 0, delta = 0, initial = 0;

  bool repeats_key() const {
    return command == MemcachedOpcode::kGetK || command == MemcachedOpcode::kGatK;
  }
  MemcachedEcho echo() const { return {opcode, opaque, repeats_key() ? key : std::string_view()}; }
};

class MemcachedBinaryParser {
 public:
  static constexpr uint32_t kBodyBytesMax = 1u << 30;

  explicit MemcachedBinaryParser(MemcachedLimits limits = {}) : limits_(limits) {}

  // One request per call, filled only with kRequest. kError (without a text) where the magic is
  // missing: close without a word. While a refused body is passed over the answer is kNeedMore with
  // consumed > 0.
  ParseResult parse(std::string_view input, MemcachedBinaryRequest& request);

  void set_authenticated(bool authenticated) { authenticated_ = authenticated; }
  // So many bytes from here on belong to what was refused: the next request begins behind them.
  uint64_t swallowing() const { return swallowing_; }

 private:
  struct Header;
  ParseResult parse_request(std::string_view input, MemcachedBinaryRequest& request);
  static void read_parts(std::string_view input, const Header& header,
                         MemcachedBinaryRequest& request);
  MemcachedStatus refusal(const Header& header, const MemcachedBinaryRequest& request) const;

  MemcachedLimits limits_;
  bool authenticated_ = true;
  uint64_t swallowing_ = 0;  // so many bytes of a refused body are still to come
};

}  // namespace kvorum::protocol
