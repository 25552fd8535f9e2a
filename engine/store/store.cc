// SPDX-License-Identifier: Apache-2.0
#include "engine/store/store.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/check.h"
#include "base/give_back.h"
#include "base/large_memory.h"

namespace kvorum::engine {
namespace {

constexpr size_t kKeptBytesMax = 32 * 1024 * 1024;
constexpr size_t kStoreKeyHead = 1 + sizeof(uint64_t);
// A client's key, or one behind a few bytes that say more: a hint's target and keyspace.
constexpr uint64_t kStoredKeyBytesMax = kKeyBytesMax + 16;

void store_big_endian(char* out, uint64_t number) {
  for (int byte = 0; byte < 8; ++byte) out[byte] = static_cast<char>(number >> (56 - 8 * byte));
}

}  // namespace

void StoreBatch::put(std::string_view key, std::string_view value) {
  begin_change(false);
  bytes_.append(key);
  end_key();
  bytes_.append(value);
}

void StoreBatch::erase(std::string_view key) {
  begin_change(true);
  bytes_.append(key);
  end_key();
}

StoreBatch::Change StoreBatch::operator[](size_t at) const {
  KVORUM_CHECK(at < items_.size());
  const Item& item = items_[at];
  const size_t end = end_of(at);
  const std::string_view bytes = bytes_;
  KVORUM_CHECK(item.key_at < item.value_at && item.value_at <= end && end <= bytes_.size());
  KVORUM_DEBUG_CHECK(!item.erase || item.value_at == end);
  const auto tail = tails_.find(at);
  return {bytes.substr(item.key_at, item.value_at - item.key_at),
          bytes.substr(item.value_at, end - item.value_at), item.erase,
          tail == tails_.end() ? nullptr : &tail->second};
}

size_t StoreBatch::end_of(size_t at) const {
  if (sorted_) return items_[at].end;
  return at + 1 < items_.size() ? items_[at + 1].key_at : bytes_.size();
}

void StoreBatch::sort() {
  KVORUM_CHECK(!sorted_);
  for (size_t at = 0; at < items_.size(); ++at) items_[at].end = end_of(at);
  const auto key_of = [this](const Item& item) {
    return std::string_view(bytes_).substr(item.key_at, item.value_at - item.key_at);
  };
  std::map<size_t, SharedView> by_key;  // tails, by where the key of their item begins
  for (auto& [at, tail] : tails_) by_key.emplace(items_[at].key_at, std::move(tail));
  std::stable_sort(items_.begin(), items_.end(),
                   [&key_of](const Item& a, const Item& b) { return key_of(a) < key_of(b); });
  tails_.clear();
  for (size_t at = 0; at < items_.size() && !by_key.empty(); ++at) {
    const auto tail = by_key.find(items_[at].key_at);
    if (tail != by_key.end()) tails_.emplace(at, tail->second);
  }
  sorted_ = !items_.empty();
}

void StoreBatch::set_tail(const SharedView& tail) {
  KVORUM_CHECK(!items_.empty() && !items_.back().erase && !tail.empty());
  const bool added = tails_.emplace(items_.size() - 1, tail).second;
  KVORUM_CHECK(added);
  tail_bytes_ += tail.bytes.size();
}

std::string_view StoreBatch::Change::whole_value(std::string& storage) const {
  if (tail == nullptr) return value;
  storage.assign(value);
  make_large_room(storage, tail->bytes.size());
  storage.append(tail->bytes);
  return storage;
}

void StoreBatch::clear() {
  items_.clear();
  tails_.clear();
  sorted_ = false;
  tail_bytes_ = 0;
  give_back(bytes_, kKeptBytesMax);
}

Status Store::scan_at_start(std::string_view begin, std::string_view end,
                            FunctionRef<void(const StoredItem& item)> fn) const {
  return scan(begin, end, [&](std::string_view key, std::string_view value) {
    fn({key, value});
    return true;
  });
}

std::string store_key(const KeyRef& key) {
  KVORUM_CHECK(key.key.size() <= kStoredKeyBytesMax);  // parse_store_key() takes no longer one
  KVORUM_CHECK(key.keyspace < kKeyspacesMax);
  std::string bytes;
  bytes.reserve(1 + sizeof(uint64_t) + key.key.size());
  put_u8(bytes, key.keyspace);
  put_u64_big_endian(bytes, key.position.high);
  bytes.append(key.key);
  return bytes;
}

void append_open_store_key(std::string& out, uint8_t keyspace, std::string_view key) {
  KVORUM_CHECK(keyspace < kKeyspacesMax);
  KVORUM_CHECK(key.size() <= kStoredKeyBytesMax);
  char head[kStoreKeyHead] = {static_cast<char>(keyspace)};
  out.append(head, sizeof(head));
  out.append(key);
}

void fill_positions(StoreBatch& batch, Partitioner partitioner) {
  constexpr size_t kTogether = 64;
  std::array<std::string_view, kTogether> keys;
  std::array<Position, kTogether> positions;
  for (size_t first = 0; first < batch.size(); first += kTogether) {
    const size_t count = std::min(kTogether, batch.size() - first);
    for (size_t at = 0; at < count; ++at) {
      const std::string_view key = batch[first + at].key;
      KVORUM_CHECK(key.size() >= kStoreKeyHead && key.front() != kFactPrefix);
      keys[at] = key.substr(kStoreKeyHead);
    }
    positions_of({keys.data(), count}, partitioner, positions.data());
    for (size_t at = 0; at < count; ++at) {
      store_big_endian(batch.key_bytes(first + at) + 1, positions[at].high);
    }
  }
}

bool parse_store_key(std::string_view bytes, KeyRef* key) {
  ByteReader reader(bytes);
  key->keyspace = reader.u8();
  key->position = {reader.u64_big_endian(), 0};
  key->key = reader.rest();
  return reader.ok() && key->keyspace < kKeyspacesMax && key->key.size() <= kStoredKeyBytesMax;
}

}  // namespace kvorum::engine
