// SPDX-License-Identifier: Apache-2.0
#include "server/tracking/tracking_table.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kvorum::server {

TrackingTable::Ticket TrackingTable::begin(std::string_view key, SlotId client) {
  auto found = readers_.find(key);
  if (found == readers_.end()) found = readers_.emplace(std::string(key), Readers()).first;
  Readers& readers = found->second;
  auto reader = std::find_if(readers.begin(), readers.end(),
                             [&](const Reader& each) { return each.client == client; });
  if (reader == readers.end()) {
    reader = readers.insert(readers.end(), Reader{client});
    ++items_;
  }
  reader->ticket = ++last_ticket_;
  reader->digest = 0;
  return last_ticket_;
}

void TrackingTable::end(std::string_view key, Ticket ticket, uint64_t digest) {
  const auto found = readers_.find(key);
  if (found == readers_.end()) return;
  for (Reader& reader : found->second) {
    if (reader.ticket == ticket) reader.digest = digest;
  }
}

void TrackingTable::take(std::string_view key, uint64_t digest, std::vector<SlotId>* told) {
  const auto found = readers_.find(key);
  if (found == readers_.end()) return;
  Readers& readers = found->second;
  items_ -= std::erase_if(readers, [&](const Reader& reader) {
    if (digest != 0 && reader.digest == digest) return false;
    told->push_back(reader.client);
    return true;
  });
  if (readers.empty()) readers_.erase(found);
}

std::string TrackingTable::take_any(std::vector<SlotId>* told) {
  KVORUM_CHECK(overflows());
  const auto any = readers_.begin();
  for (const Reader& reader : any->second) told->push_back(reader.client);
  items_ -= any->second.size();
  std::string key = any->first;
  readers_.erase(any);
  return key;
}

void TrackingTable::clear() {
  decltype(readers_)().swap(readers_);
  items_ = 0;
}

}  // namespace kvorum::server
