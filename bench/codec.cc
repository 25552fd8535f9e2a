// SPDX-License-Identifier: Apache-2.0
#include "bench/codec.h"

#include "bench/memcached_codec.h"
#include "bench/resp_codec.h"

namespace kvorum::bench {

std::unique_ptr<Codec> make_codec(Protocol protocol, size_t value_bytes) {
  switch (protocol) {
    case Protocol::kResp:
      return std::make_unique<RespCodec>(value_bytes);
    case Protocol::kMemcached:
      return std::make_unique<MemcachedCodec>(value_bytes);
  }
  return nullptr;
}

}  // namespace kvorum::bench
