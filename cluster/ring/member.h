// SPDX-License-Identifier: Apache-2.0
// A member: a node as membership sees it, with the addresses at which it can be reached. Filled
// from the YAML file (founders) or from the history (later joins); plain values, never changed once
// a ClusterView that holds them is published.
#pragma once

#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace kvorum::cluster {

using NodeId = uint64_t;  // 0 = none

// Index into ClusterView::members: what the ring and the hot paths use instead of ids. A process
// gives each member one, and never gives it to another one (ClusterView::follows()).
using MemberIndex = uint16_t;
inline constexpr MemberIndex kNoMember = 0xffff;
inline constexpr uint32_t kMembersMax = 1024;

// host:port, an IPv6 host in brackets: `[::1]:7379`. Port 0 with an empty host means "none".
struct Endpoint {
  std::string host;
  uint16_t port = 0;

  bool empty() const { return host.empty(); }
  std::string to_text() const;
  static Result<Endpoint> parse(std::string_view text);
  bool operator==(const Endpoint&) const = default;
};

// What has become of a member. One that departed keeps its index, and never comes back: the same
// name joins as another node.
enum class Standing : uint8_t {
  kMember,
  kLeaving,  // is to own nothing, and still holds something
  kGone,     // left, and holds nothing
  kRemoved,  // declared dead
};

struct Member {
  NodeId id = 0;
  std::string name;
  Endpoint peer, redis, memcached, admin;
  uint32_t weight = 1;
  std::string rack, zone;
  Standing standing = Standing::kMember;

  // Has a place on the ring.
  bool is_placed() const { return standing == Standing::kMember; }
  // Has departed: it coordinates nothing, and nobody counts on it.
  bool has_departed() const {
    return standing == Standing::kGone || standing == Standing::kRemoved;
  }
};

// The index of the one with that id; kNoMember where there is none.
inline MemberIndex find_member(std::span<const Member> members, NodeId id) {
  for (size_t at = 0; at < members.size(); ++at) {
    if (members[at].id == id) return static_cast<MemberIndex>(at);
  }
  return kNoMember;
}

inline std::string Endpoint::to_text() const {
  if (empty()) return {};
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

inline Result<Endpoint> Endpoint::parse(std::string_view text) {
  const auto invalid = [](const char* why) { return Status(Code::kInvalid, why); };
  const size_t colon = text.rfind(':');
  const size_t bracket = text.find(']');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) {
    return invalid("the port is missing; write host:port");
  }
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) {
      return invalid("only an IPv6 address stands in brackets");
    }
  } else if (host.find(':') != std::string_view::npos) {
    return invalid("an IPv6 address needs brackets: [address]:port");
  }
  if (host.empty()) return invalid("the host is missing; write host:port");
  if (host.find_first_of("[] \t/@") != std::string_view::npos) {
    return invalid("the host contains a character that no host name has");
  }
  uint32_t port = 0;
  const char* const end = port_text.data() + port_text.size();
  const auto [rest, error] = std::from_chars(port_text.data(), end, port);
  if (error != std::errc() || rest != end || port == 0 || port > 65535) {
    return invalid("the port must be a number from 1 to 65535");
  }
  return Endpoint{std::string(host), static_cast<uint16_t>(port)};
}

}  // namespace kvorum::cluster
