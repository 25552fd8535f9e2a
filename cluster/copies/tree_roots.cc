// SPDX-License-Identifier: Apache-2.0
#include "cluster/copies/tree_roots.h"

#include <vector>

#include "base/bytes.h"
#include "base/check.h"

namespace kvorum::cluster {
namespace {

constexpr uint8_t kVersion = 1;

// The root that is written of a copy which lacked something at the stop.
uint64_t lacking(uint64_t digest) { return ~digest; }

}  // namespace

void encode_roots(const engine::ObjectTable& table, const WholeReplicas* whole, std::string& out) {
  const uint32_t partitions = 1u << table.partition_bits();
  put_u8(out, kVersion);
  put_u32(out, partitions);
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < partitions; ++partition) {
      const bool lacks = whole != nullptr && !whole->is_whole(keyspace, partition) &&
                         !whole->is_new(keyspace, partition);
      const uint64_t digest = table.digest(keyspace, partition);
      const uint64_t root = lacks ? lacking(digest) : digest;
      if (root == 0) continue;
      put_u8(out, keyspace);
      put_u32(out, partition);
      put_u64(out, root);
    }
  }
}

size_t mark_differing_roots(const engine::ObjectTable& table, std::string_view roots,
                            WholeReplicas& whole) {
  const uint32_t partitions = 1u << table.partition_bits();
  KVORUM_CHECK(partitions == whole.partitions());  // both of this node's ring
  std::vector<uint64_t> expected(size_t{kKeyspacesMax} * partitions);
  ByteReader reader(roots);
  bool good = reader.u8() == kVersion;
  good &= reader.u32() == partitions;
  while (good && !reader.done()) {
    const uint8_t keyspace = reader.u8();
    const uint32_t partition = reader.u32();
    const uint64_t root = reader.u64();
    good = reader.ok() && keyspace < kKeyspacesMax && partition < partitions;
    if (good) expected[size_t{keyspace} * partitions + partition] = root;
  }
  good &= reader.ok();
  size_t differing = 0;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < partitions; ++partition) {
      const uint64_t root = expected[size_t{keyspace} * partitions + partition];
      const uint64_t digest = table.digest(keyspace, partition);
      if (good && digest == root) continue;
      whole.set(keyspace, partition, false);
      differing += !good || root != lacking(digest);
    }
  }
  return differing;
}

}  // namespace kvorum::cluster
