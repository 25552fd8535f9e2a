// SPDX-License-Identifier: Apache-2.0
// The memcached text protocol as the benchmark needs it: get, set, incr. See codec.h for the
// contract.
#pragma once

#include <string>

#include "bench/codec.h"
#include "bench/payload.h"

namespace kvorum::bench {

class MemcachedCodec final : public Codec {
 public:
  explicit MemcachedCodec(size_t value_bytes);
  void append(std::string& out, const Request& request) const override;
  Reply parse(std::string_view bytes, const Request& request) const override;

 private:
  Reply parse_value(std::string_view bytes, const Request& request) const;

  Payload payload_;
  std::string set_head_;    // "set key:000000000000 0 0 100\r\n"
  std::string value_head_;  // " 0 100\r\n", what follows the key in a VALUE line
};

}  // namespace kvorum::bench
