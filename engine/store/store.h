// SPDX-License-Identifier: Apache-2.0
// The bytes below an ObjectTable: an ordered map from keys to values that survives the process.
// Implemented by LevelDB (leveldb_store.h), by the simulator and by the fault layer of the tests.
// write(), reopen() and salvage() are called by one thread at a time, sync() by one beside it;
// read() and scan() by any. Keys of objects are [keyspace: 1 byte][position.high: 8 bytes big
// endian][key]; keys of the node's own facts (identity, clean-stop marker, flush marks) begin with
// kFactPrefix.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/function_ref.h"
#include "base/position.h"
#include "base/shared_bytes.h"
#include "base/status.h"

namespace kvorum::engine {

inline constexpr char kFactPrefix = '\xff';

// Puts and deletes that reach the disk together or not at all. Their bytes stand in one buffer,
// whose memory is kept for the next batch; the ends of large values are shared.
class StoreBatch {
 public:
  struct Change {
    std::string_view key;
    std::string_view value;  // empty where `erase`
    bool erase = false;
    const SharedView* tail = nullptr;  // follows `value`

    // All of it: in `storage`, where there is a tail.
    std::string_view whole_value(std::string& storage) const;
  };

  void put(std::string_view key, std::string_view value);
  void erase(std::string_view key);
  // The same in parts: the key, then the value of a put, are appended to buffer().
  std::string& buffer() { return bytes_; }
  void begin_change(bool erase) {
    KVORUM_DEBUG_CHECK(!sorted_);
    items_.push_back({bytes_.size(), 0, erase});
  }
  void end_key() {
    KVORUM_CHECK(!items_.empty() && items_.back().value_at == 0 &&
                 items_.back().key_at < bytes_.size());
    items_.back().value_at = bytes_.size();
  }
  void set_tail(const SharedView& tail);

  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  size_t bytes() const { return bytes_.size() + tail_bytes_; }
  Change operator[](size_t at) const;
  // For what was left open in a key.
  char* key_bytes(size_t at) {
    KVORUM_CHECK(at < items_.size());
    return bytes_.data() + items_[at].key_at;
  }
  // By key. Nothing may be added to it any more.
  void sort();
  void clear();

 private:
  size_t end_of(size_t at) const;  // the item's last byte is before it
  struct Item {
    size_t key_at;
    size_t value_at;
    bool erase;
    size_t end = 0;  // of the value: once the batch is sorted
  };
  std::string bytes_;
  std::vector<Item> items_;
  std::map<size_t, SharedView> tails_;  // by item
  size_t tail_bytes_ = 0;
  bool sorted_ = false;
};

// An object as a start finds it.
struct StoredItem {
  std::string_view key;
  std::string_view value;  // empty where it was erased
  bool journaled = false;  // its last change is in a journal alone (engine/journal): the table
                           // keeps it until a checkpoint
  bool erased = false;     // and that was its end
};

class Store {
 public:
  virtual ~Store() = default;

  // After an ok return the batch survives kill -9; with `sync` it survives a power cut too.
  // After an error nothing of later batches is taken until reopen() succeeded.
  virtual Status write(const StoreBatch& batch, bool sync) = 0;
  // Makes durable what was written before the call; later writes need not wait for it.
  virtual Status sync() = 0;
  // kNotFound where there is none, kCorruption where a checksum does not hold.
  virtual Status read(std::string_view key, std::string* value) const = 0;
  // In key order from `begin` (inclusive) to `end` (exclusive, empty: to the last) until fn says
  // false.
  virtual Status scan(std::string_view begin, std::string_view end,
                      FunctionRef<bool(std::string_view key, std::string_view value)> fn) const = 0;
  // Objects at the start, from `begin` to `end` as in scan(), which is no fact's; several threads
  // may do it. Then end_start(), before anything is written.
  virtual Status scan_at_start(std::string_view begin, std::string_view end,
                               FunctionRef<void(const StoredItem& item)> fn) const;
  virtual void end_start() {}
  // kCorruption where the store is damaged: reopening does not help, salvage() may.
  virtual Status reopen() = 0;
  // Keeps what can still be read of a damaged store, which is open afterwards. Anything may be
  // missing from then on, or be as it was some time ago. Returns what was done, for people; the
  // damage where nothing can be.
  virtual Result<std::string> salvage(const Status& damage) { return damage; }
};

std::string store_key(const KeyRef& key);
// Appends the key of an object whose position is filled in later, by fill_positions().
void append_open_store_key(std::string& out, uint8_t keyspace, std::string_view key);
void fill_positions(StoreBatch& batch, Partitioner partitioner);
// Nothing where the bytes are no object key. The position's low half is not stored: it is zero.
bool parse_store_key(std::string_view bytes, KeyRef* key);

}  // namespace kvorum::engine
