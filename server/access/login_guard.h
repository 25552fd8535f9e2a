// SPDX-License-Identifier: Apache-2.0
// What a node does about clients that it turns away: failed logins slow their address down
// (login_throttle.h) and are logged, as are connections that protected mode refuses: once per
// address and interval, with a count. Owned by the node; any thread may call it.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "server/access/login_throttle.h"
#include "server/process/logging.h"

namespace kvorum::server {

class LoginGuard {
 public:
  // Addresses are as sessions have them, with a port or without.
  uint64_t delay_us(std::string_view peer_address, uint64_t now_us);
  void failed(std::string_view peer_address, uint64_t now_us);
  void refused(std::string_view peer_address, uint64_t now_us);  // by protected mode

  uint64_t failed_count() const { return failed_.load(std::memory_order_relaxed); }
  uint64_t refused_count() const { return refused_.load(std::memory_order_relaxed); }

  // The host of `1.2.3.4:5`, the /64 network of an IPv6 address.
  static std::string network_of(std::string_view peer_address);

 private:
  void tell(const std::string& network, std::string_view what, uint64_t now_us);

  Mutex lock_;
  LoginThrottle throttle_ KVORUM_GUARDED_BY(lock_);
  LogGates gates_ KVORUM_GUARDED_BY(lock_);
  std::atomic<uint64_t> failed_{0}, refused_{0};
};

}  // namespace kvorum::server
