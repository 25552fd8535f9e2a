// SPDX-License-Identifier: Apache-2.0
// RESP2 as the benchmark needs it: GET, SET, INCR as arrays of bulk strings; replies of any shape
// are measured, those that were not expected are counted as wrong. See codec.h for the contract.
#pragma once

#include <string>

#include "bench/codec.h"
#include "bench/payload.h"

namespace kvorum::bench {

class RespCodec final : public Codec {
 public:
  explicit RespCodec(size_t value_bytes);
  void append(std::string& out, const Request& request) const override;
  Reply parse(std::string_view bytes, const Request& request) const override;

 private:
  Reply parse_value(std::string_view bytes, const Request& request) const;

  Payload payload_;
  std::string set_head_;    // a SET up to its value, digits still to be filled in
  std::string value_head_;  // "$100\r\n"
};

}  // namespace kvorum::bench
