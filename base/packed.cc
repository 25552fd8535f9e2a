// SPDX-License-Identifier: Apache-2.0
#include "base/packed.h"

#include <snappy.h>

#include "base/bytes.h"
#include "base/hash.h"

namespace kvorum {
namespace {

// kind (u8), checksum (u64), then the bytes as they are or as Snappy makes them.
enum class Kind : uint8_t { kPlain = 0, kSnappy = 1 };

}  // namespace

void pack(std::string_view bytes, std::string& out) {
  std::string compressed;
  snappy::Compress(bytes.data(), bytes.size(), &compressed);
  const bool saves = compressed.size() + compressed.size() / 7 < bytes.size();
  out.push_back(static_cast<char>(saves ? Kind::kSnappy : Kind::kPlain));
  put_u64(out, hash_seeded(bytes, 0));
  out.append(saves ? std::string_view(compressed) : bytes);
}

bool unpack(std::string_view packed, size_t bytes_max, std::string& out) {
  ByteReader reader(packed);
  const uint8_t kind = reader.u8();
  const uint64_t checksum = reader.u64();
  const std::string_view rest = reader.rest();
  if (!reader.ok()) return false;
  if (kind == static_cast<uint8_t>(Kind::kPlain)) {
    if (rest.size() > bytes_max) return false;
    out.assign(rest);
  } else {
    size_t bytes = 0;
    const bool is_snappy = kind == static_cast<uint8_t>(Kind::kSnappy) &&
                           snappy::GetUncompressedLength(rest.data(), rest.size(), &bytes);
    if (!is_snappy || bytes > bytes_max) return false;
    if (!snappy::Uncompress(rest.data(), rest.size(), &out)) return false;
  }
  return hash_seeded(out, 0) == checksum;
}

}  // namespace kvorum
