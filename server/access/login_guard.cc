// SPDX-License-Identifier: Apache-2.0
#include "server/access/login_guard.h"

#include <algorithm>

#include "server/net/asio.h"

namespace kvorum::server {

std::string LoginGuard::network_of(std::string_view peer_address) {
  std::string host(peer_address);
  const size_t colon = host.rfind(':');
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else if (colon != std::string::npos && host.find(':') == colon) {
    host.resize(colon);
  }
  error_code error;
  const asio::ip::address address = asio::ip::make_address(host, error);
  if (error || address.is_v4()) return host;
  const asio::ip::address_v6 six = address.to_v6();
  if (six.is_v4_mapped()) return make_address_v4(asio::ip::v4_mapped, six).to_string();
  asio::ip::address_v6::bytes_type bytes = six.to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
  return asio::ip::address_v6(bytes).to_string() + "/64";
}

uint64_t LoginGuard::delay_us(std::string_view peer_address, uint64_t now_us) {
  const MutexLock guard(lock_);
  if (throttle_.size() == 0) return 0;
  return throttle_.delay_us(network_of(peer_address), now_us);
}

void LoginGuard::failed(std::string_view peer_address, uint64_t now_us) {
  failed_.fetch_add(1, std::memory_order_relaxed);
  const std::string network = network_of(peer_address);
  {
    const MutexLock guard(lock_);
    throttle_.failed(network, now_us);
  }
  tell(network, "a login failed: wrong password or user", now_us);
}

void LoginGuard::refused(std::string_view peer_address, uint64_t now_us) {
  refused_.fetch_add(1, std::memory_order_relaxed);
  tell(network_of(peer_address), "refused by protected mode: there is no password", now_us);
}

void LoginGuard::tell(const std::string& network, std::string_view what, uint64_t now_us) {
  LogGates::Verdict verdict;
  {
    const MutexLock guard(lock_);
    verdict = gates_.ask(fmt::format("{} {}", network, what), {}, now_us);
  }
  if (!verdict.open) return;
  if (verdict.suppressed == 0) return log_warning("client {}: {}", network, what);
  log_warning("client {}: {} ({} more since the last time)", network, what, verdict.suppressed);
}

}  // namespace kvorum::server
