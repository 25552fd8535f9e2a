// SPDX-License-Identifier: Apache-2.0
#include "engine/tree/kept_trees.h"

#include "base/bytes.h"
#include "base/check.h"

namespace kvorum::engine {
namespace {

constexpr uint8_t kVersion = 1;
constexpr std::string_view kPages = "tree/";
constexpr std::string_view kTail = "tree-changes/";
constexpr std::string_view kComplete = "tree-complete";

std::string key_prefix(std::string_view name) {
  std::string key(1, kFactPrefix);
  key.append(name);
  return key;
}

// Of all keys with that prefix.
std::string prefix_end(std::string prefix) {
  KVORUM_CHECK(static_cast<uint8_t>(prefix.back()) != UINT8_MAX);
  ++prefix.back();
  return prefix;
}

std::string tail_key(uint64_t number) {
  std::string key = key_prefix(kTail);
  put_u64_big_endian(key, number);
  return key;
}

bool read_page(std::string_view bytes, KeptTree* tree) {
  ByteReader reader(bytes);
  if (reader.u8() != kVersion) return false;
  tree->generation = reader.varint();
  const int depth = reader.u8();
  if (!reader.ok() || depth > HashTree::kDepthMax) return false;
  const uint64_t leaves = uint64_t{1} << depth;
  tree->changed.reset(depth);
  for (uint64_t count = reader.varint(); count != 0 && reader.ok(); --count) {
    const uint64_t leaf = reader.varint();
    if (leaf < leaves) tree->changed.add(leaf);
  }
  if (!reader.ok() || reader.rest().size() != leaves * sizeof(uint64_t)) return false;
  tree->leaves.resize(leaves);
  for (uint64_t& leaf : tree->leaves) leaf = reader.u64();
  tree->has_page = true;
  return true;
}

// One partition's part of a record of the tail.
bool read_changes(ByteReader& reader, std::map<TreePlace, KeptTree>& trees) {
  TreePlace place;
  place.keyspace = reader.u8();
  place.partition = static_cast<uint32_t>(reader.varint());
  const uint64_t generation = reader.varint();
  const int depth = reader.u8();
  if (!reader.ok() || place.keyspace >= kKeyspacesMax || depth > HashTree::kDepthMax) return false;
  KeptTree& tree = trees[place];
  const bool counts = generation >= tree.generation;
  if (counts) tree.generation = generation;
  for (uint64_t count = reader.varint(); count != 0 && reader.ok(); --count) {
    const uint64_t leaf = reader.varint();
    if (counts && leaf < uint64_t{1} << depth) tree.changed.add(leaf, depth);
  }
  return reader.ok();
}

}  // namespace

void put_tree_page(StoreBatch& batch, const TreePlace& place, std::string_view page) {
  std::string key = key_prefix(kPages);
  put_u8(key, place.keyspace);
  put_u64_big_endian(key, place.partition);
  batch.put(key, page);
}

void put_tree_tail(StoreBatch& batch, uint64_t number, std::string_view changes) {
  KVORUM_CHECK(!changes.empty());
  batch.begin_change(false);
  batch.buffer().append(tail_key(number));
  batch.end_key();
  put_u8(batch.buffer(), kVersion);
  batch.buffer().append(changes);
}

void put_trees_complete(StoreBatch& batch) { batch.put(key_prefix(kComplete), "1"); }

void erase_tree_tail(StoreBatch& batch, uint64_t number) { batch.erase(tail_key(number)); }

Status erase_kept_trees(const Store& store, StoreBatch& batch) {
  for (const std::string_view name : {kPages, kTail, kComplete}) {
    const std::string prefix = key_prefix(name);
    const Status status = store.scan(prefix, prefix_end(prefix), [&](std::string_view key, auto) {
      batch.erase(key);
      return true;
    });
    if (!status.ok()) return status;
  }
  return {};
}

void LeafSet::reset(int depth) {
  KVORUM_CHECK(depth >= 0 && depth <= HashTree::kDepthMax);
  depth_ = depth;
  count_ = 0;
  words_.assign(((size_t{1} << depth) + 63) / 64, 0);
}

void LeafSet::add(uint64_t leaf, int depth) {
  KVORUM_CHECK(depth >= 0 && depth <= HashTree::kDepthMax);
  if (depth >= depth_) {
    add(leaf >> (depth - depth_));
    return;
  }
  const uint64_t each = uint64_t{1} << (depth_ - depth);
  for (uint64_t own = leaf * each; own < (leaf + 1) * each; ++own) add(own);
}

void LeafSet::append_to(std::string& out) const {
  put_varint(out, count_);
  for (uint64_t leaf = 0; leaf < uint64_t{1} << depth_; ++leaf) {
    if (contains(leaf)) put_varint(out, leaf);
  }
}

void TreeLog::take_changes(const TreePlace& place, std::string& tail) {
  if (unwritten_.empty()) return;
  KVORUM_CHECK(unwritten_.size() <= changed_.count());
  put_u8(tail, place.keyspace);
  put_varint(tail, place.partition);
  put_varint(tail, generation_);
  put_u8(tail, static_cast<uint8_t>(changed_.depth()));
  put_varint(tail, unwritten_.size());
  for (const uint32_t leaf : unwritten_) put_varint(tail, leaf);
  unwritten_.clear();
}

void TreeLog::begin_page(const HashTree& tree) {
  ++generation_;
  changed_.reset(tree.depth());
  unwritten_.clear();
  stale_ = false;
}

void TreeLog::write_page(const HashTree& tree, std::string& page) {
  KVORUM_CHECK(changed_.depth() == tree.depth());  // since begin_page()
  unwritten_.clear();                              // the page itself names them
  put_u8(page, kVersion);
  put_varint(page, generation_);
  put_u8(page, static_cast<uint8_t>(tree.depth()));
  changed_.append_to(page);
  for (const uint64_t leaf : tree.leaves()) put_u64(page, leaf);
}

void TreeLog::forget_written() {
  changed_.reset(changed_.depth());
  unwritten_.clear();
  stale_ = true;
}

void TreeLog::resume(uint64_t generation, const LeafSet& changed) {
  generation_ = generation;
  changed_ = changed;
}

Status KeptTrees::read(const Store& store) {
  const std::string pages = key_prefix(kPages), tail = key_prefix(kTail);
  Status status = store.scan(pages, prefix_end(pages), [&](std::string_view key, auto value) {
    ByteReader reader(key.substr(pages.size()));
    TreePlace place;
    place.keyspace = reader.u8();
    place.partition = static_cast<uint32_t>(reader.u64_big_endian());
    KeptTree tree;
    const bool good = reader.ok() && place.keyspace < kKeyspacesMax && read_page(value, &tree);
    if (good) trees[place] = std::move(tree);
    damaged += static_cast<uint64_t>(!good);
    return true;
  });
  if (!status.ok()) return status;
  std::string ignored;
  status = store.read(key_prefix(kComplete), &ignored);
  if (!status.ok() && status.code() != Code::kNotFound) return status;
  complete = status.ok();
  return store.scan(tail, prefix_end(tail), [&](std::string_view key, auto value) {
    const uint64_t number = ByteReader(key.substr(tail.size())).u64_big_endian();
    if (tail_end == 0) tail_begin = number;
    tail_end = number + 1;
    ByteReader reader(value);
    bool good = reader.u8() == kVersion;
    while (good && !reader.done()) good = read_changes(reader, trees);
    damaged += static_cast<uint64_t>(!good);
    return true;
  });
}

const KeptTree* KeptTrees::find(const TreePlace& place) const {
  static const KeptTree kNothing;
  const auto found = trees.find(place);
  if (found != trees.end()) return &found->second;
  return complete ? &kNothing : nullptr;
}

}  // namespace kvorum::engine
