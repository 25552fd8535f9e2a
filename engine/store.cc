// SPDX-License-Identifier: Apache-2.0
#include "engine/store.h"

#include "base/bytes.h"

namespace kvorum::engine {

std::string store_key(const KeyRef& key) {
  std::string bytes;
  bytes.reserve(1 + sizeof(uint64_t) + key.key.size());
  put_u8(bytes, key.keyspace);
  put_u64_big_endian(bytes, key.position.high);
  bytes.append(key.key);
  return bytes;
}

bool parse_store_key(std::string_view bytes, KeyRef* key) {
  ByteReader reader(bytes);
  key->keyspace = reader.u8();
  key->position = {reader.u64_big_endian(), 0};
  key->key = reader.rest();
  return reader.ok() && key->keyspace < kKeyspacesMax && key->key.size() <= kKeyBytesMax;
}

}  // namespace kvorum::engine
