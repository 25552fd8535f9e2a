// SPDX-License-Identifier: Apache-2.0
#include "engine/index/expiry_heap.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kvorum::engine {
namespace {

bool later(const ExpiryHeap::Item& a, const ExpiryHeap::Item& b) {
  return a.deadline_ms > b.deadline_ms;
}

}  // namespace

void ExpiryHeap::push(Item item) {
  KVORUM_CHECK(item.deadline_ms != 0);  // 0 stands for none
  items_.push_back(item);
  std::push_heap(items_.begin(), items_.end(), later);
}

void ExpiryHeap::pop() {
  KVORUM_CHECK(!items_.empty());
  std::pop_heap(items_.begin(), items_.end(), later);
  items_.pop_back();
}

// Nothing below what is not due is due.
void ExpiryHeap::each_due(uint64_t now_ms, FunctionRef<void(const Item& item)> fn) const {
  std::vector<size_t> left = {0};
  while (!left.empty()) {
    const size_t at = left.back();
    left.pop_back();
    if (at >= items_.size() || items_[at].deadline_ms > now_ms) continue;
    fn(items_[at]);
    left.push_back(2 * at + 1);
    left.push_back(2 * at + 2);
  }
}

void ExpiryHeap::put_back(std::vector<Item> items) {
  items_ = std::move(items);
  std::make_heap(items_.begin(), items_.end(), later);
}

}  // namespace kvorum::engine
