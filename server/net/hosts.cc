// SPDX-License-Identifier: Apache-2.0
#include "server/net/hosts.h"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <optional>

#include "base/ascii.h"

namespace kvorum::server {
namespace {

namespace ip = boost::asio::ip;

std::optional<ip::address> parsed(std::string_view host) {
  boost::system::error_code error;
  const ip::address address = ip::make_address(std::string(host), error);
  return error ? std::nullopt : std::optional(address);
}

}  // namespace

bool is_loopback_address(const ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return ip::make_address_v4(ip::v4_mapped, address.to_v6()).is_loopback();
  }
  return address.is_loopback();
}

bool is_loopback_host(std::string_view host) {
  const auto address = parsed(host);
  return address ? is_loopback_address(*address) : host == "localhost";
}

bool is_wildcard_host(std::string_view host) {
  const auto address = parsed(host);
  return address && address->is_unspecified();
}

bool is_address_text(std::string_view host) { return parsed(host).has_value(); }

std::string host_part(std::string_view host_and_port) {
  std::string_view host = host_and_port;
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else if (const size_t colon = host.find(':'); colon == host.rfind(':')) {
    host = host.substr(0, colon);
  }
  std::string out(host);
  std::transform(out.begin(), out.end(), out.begin(), to_lower);
  return out;
}

}  // namespace kvorum::server
