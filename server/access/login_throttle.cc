// SPDX-License-Identifier: Apache-2.0
#include "server/access/login_throttle.h"

#include <algorithm>

namespace kvorum::server {

uint64_t LoginThrottle::delay_us(std::string_view address, uint64_t now_us) const {
  const auto found = records_.find(address);
  if (found == records_.end()) return 0;
  const Record& record = found->second;
  if (record.failures < kFreeFailures || now_us >= record.last_us + kForgetAfterUs) return 0;
  const uint32_t doublings = std::min(record.failures - kFreeFailures, 10u);
  return std::min(kDelayFirstUs << doublings, kDelayMaxUs);
}

void LoginThrottle::failed(std::string_view address, uint64_t now_us) {
  auto found = records_.find(address);
  if (found == records_.end()) {
    if (records_.size() >= kAddressesMax) make_room(now_us);
    found = records_.emplace(std::string(address), Record()).first;
  }
  Record& record = found->second;
  if (now_us >= record.last_us + kForgetAfterUs) record.failures = 0;
  ++record.failures;
  record.last_us = now_us;
}

void LoginThrottle::make_room(uint64_t now_us) {
  std::erase_if(records_,
                [&](const auto& entry) { return now_us >= entry.second.last_us + kForgetAfterUs; });
  if (records_.size() < kAddressesMax) return;
  records_.erase(std::min_element(
      records_.begin(), records_.end(),
      [](const auto& a, const auto& b) { return a.second.last_us < b.second.last_us; }));
}

}  // namespace kvorum::server
