// SPDX-License-Identifier: Apache-2.0
#include "server/connection/causal_memory.h"

#include "base/check.h"

namespace kvorum::server {

const std::string& CausalMemory::name_of(const KeyRef& key) {
  name_.assign(1, static_cast<char>(key.keyspace));
  name_.append(key.key);
  return name_;
}

void CausalMemory::remember(const KeyRef& key, const cluster::Context& context) {
  const auto [found, is_new] = contexts_.try_emplace(name_of(key));
  found->second.context = context;
  if (!is_new) return;
  found->second.number = ++next_number_;
  order_.emplace_back(found->first, next_number_);
  while (contexts_.size() > keys_max_ || order_.size() > 2 * keys_max_) drop_oldest();
}

void CausalMemory::forget(const KeyRef& key) { contexts_.erase(name_of(key)); }

const cluster::Context* CausalMemory::find(const KeyRef& key) {
  const auto found = contexts_.find(name_of(key));
  return found == contexts_.end() ? nullptr : &found->second.context;
}

// Entries of keys that were forgotten, or remembered anew since, only leave the order.
void CausalMemory::drop_oldest() {
  KVORUM_CHECK(!order_.empty());  // who is remembered stands in it
  const auto found = contexts_.find(order_.front().first);
  if (found != contexts_.end() && found->second.number == order_.front().second) {
    contexts_.erase(found);
  }
  order_.pop_front();
}

}  // namespace kvorum::server
