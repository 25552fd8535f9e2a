// SPDX-License-Identifier: Apache-2.0
// Host names and addresses as text, and whether they stay on this machine. Pure: nothing is
// resolved. For the configuration, the Host of HTTP requests and the listeners.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <string>
#include <string_view>

namespace kvorum::server {

// An IPv4 address within IPv6 counts as itself.
bool is_loopback_address(const boost::asio::ip::address& address);
// `localhost`, 127.x.y.z, ::1.
bool is_loopback_host(std::string_view host);
// All addresses of this machine: 0.0.0.0, ::.
bool is_wildcard_host(std::string_view host);
bool is_address_text(std::string_view host);

// Of `host`, `host:port`, `[address]:port`: the host in lower case, without brackets.
std::string host_part(std::string_view host_and_port);

}  // namespace kvorum::server
