// SPDX-License-Identifier: Apache-2.0
// The deadlines of one partition, earliest first, under its lock. Items name a place, not an entry,
// and are hints: whoever pops one looks what stands at that place. An entry with a deadline has an
// item that is not later; a deadline moved further away needs no new item.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/function_ref.h"

namespace kvorum::engine {

class ExpiryHeap {
 public:
  struct Item {
    uint64_t deadline_ms = 0;
    uint32_t place = 0;
  };

  void push(Item item);
  void pop();
  const Item& top() const {
    KVORUM_CHECK(!items_.empty());
    return items_.front();
  }
  // Of all, in no order but that the first is the earliest.
  const Item& at(size_t index) const {
    KVORUM_CHECK(index < items_.size());
    return items_[index];
  }
  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }
  // Shows what is due, in no order, without looking at what is not.
  void each_due(uint64_t now_ms, FunctionRef<void(const Item& item)> fn) const;
  // 0 where there is none.
  uint64_t earliest_ms() const { return items_.empty() ? 0 : items_.front().deadline_ms; }

  // All items, unordered, for compaction; what is put back replaces them.
  std::vector<Item> take() { return std::move(items_); }
  void put_back(std::vector<Item> items);
  size_t memory_bytes() const { return items_.capacity() * sizeof(Item); }

 private:
  std::vector<Item> items_;
};

}  // namespace kvorum::engine
