// SPDX-License-Identifier: Apache-2.0
// What the load loop asks of a protocol: append a request to a buffer, recognise the reply to it.
// One implementation each for RESP and memcached text; they share keys and values, so what was
// loaded through one protocol is verified through the other. The common reply (OK, the value) is
// recognised by comparing bytes; everything else takes a slower, complete parser. Stateless after
// construction; used by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace kvorum::bench {

enum class Operation : uint8_t {
  kGet,
  kSet,
  kIncrement,     // of a counter, which has a key of its own
  kResetCounter,  // memcached increments only what exists
};

struct Request {
  uint64_t key = 0;
  uint64_t intended_ns = 0;  // when it was, or should have been, sent
  Operation operation = Operation::kGet;
};

enum class Outcome : uint8_t {
  kIncomplete,  // more bytes are needed
  kGood,
  kMiss,    // the server does not have the key
  kWrong,   // a reply of another shape, length or content than was stored
  kError,   // the server answered an error
  kBroken,  // not the protocol: the connection is of no further use
};

struct Reply {
  Outcome outcome = Outcome::kIncomplete;
  size_t size = 0;  // bytes used
};

class Codec {
 public:
  virtual ~Codec() = default;
  virtual void append(std::string& out, const Request& request) const = 0;
  // `bytes` begins at the reply to `request`.
  virtual Reply parse(std::string_view bytes, const Request& request) const = 0;
};

enum class Protocol : uint8_t { kResp, kMemcached };

std::unique_ptr<Codec> make_codec(Protocol protocol, size_t value_bytes);

}  // namespace kvorum::bench
