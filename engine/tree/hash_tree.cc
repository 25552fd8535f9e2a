// SPDX-License-Identifier: Apache-2.0
#include "engine/tree/hash_tree.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace kvorum::engine {
namespace {

uint64_t xor_of(const uint64_t* leaves, size_t count) {
  uint64_t sum = 0;
  for (size_t i = 0; i < count; ++i) sum ^= leaves[i];
  return sum;
}

}  // namespace

int HashTree::depth_for(uint64_t objects) {
  if (objects <= kKeysPerLeaf) return 0;
  return std::min(kDepthMax, static_cast<int>(std::bit_width((objects - 1) / kKeysPerLeaf)));
}

size_t HashTree::memory_bytes() const {
  const size_t leaves = stored_.capacity() + (building_ ? building_->leaves.capacity() : 0);
  return leaves * sizeof(uint64_t);
}

uint64_t HashTree::node(int level, uint64_t index) const {
  KVORUM_CHECK(level >= 0 && level <= depth_ && index >> level == 0);
  const size_t count = size_t{1} << (depth_ - level);
  return xor_of(leaves_ + index * count, count);
}

void HashTree::begin_build(int depth) {
  KVORUM_CHECK(depth >= 0 && depth <= kDepthMax && !building());
  building_ = std::make_unique<Building>();
  building_->depth = depth;
  building_->leaves.assign(size_t{1} << depth, 0);
}

void HashTree::add(uint32_t place, uint64_t digest) {
  KVORUM_CHECK(building() && place >= building_->frontier);
  building_->leaves[uint64_t{place} >> (kPlaceBits - building_->depth)] ^= digest;
}

void HashTree::fold_building(uint32_t place, uint64_t change) {
  if (place >= building_->frontier) return;  // add() will bring it
  building_->leaves[uint64_t{place} >> (kPlaceBits - building_->depth)] ^= change;
}

bool HashTree::agrees(const Building& built) const {
  const int shallower = std::min(depth_, built.depth);
  const size_t own = size_t{1} << (depth_ - shallower);
  const size_t its = size_t{1} << (built.depth - shallower);
  for (size_t index = 0; index < size_t{1} << shallower; ++index) {
    if (xor_of(leaves_ + index * own, own) != xor_of(built.leaves.data() + index * its, its)) {
      return false;
    }
  }
  return true;
}

bool HashTree::finish_build() {
  KVORUM_CHECK(frontier() == kPlacesEnd);
  const std::unique_ptr<Building> built = std::move(building_);
  const bool agreed = agrees(*built);
  set(built->depth, std::move(built->leaves));
  return agreed;
}

void HashTree::set(int depth, std::vector<uint64_t> leaves) {
  KVORUM_CHECK(!building() && depth >= 0 && depth <= kDepthMax);
  KVORUM_CHECK(leaves.size() == size_t{1} << depth);
  stored_ = std::move(leaves);
  leaves_ = stored_.data();
  depth_ = depth;
  shift_ = kPlaceBits - depth_;
  root_ = xor_of(leaves_, stored_.size());
}

}  // namespace kvorum::engine
