// SPDX-License-Identifier: Apache-2.0
// A link of one coordinator: the one that it dialed to a member, where it asks, or one that a peer
// dialed, where that peer asks. Who is behind the latter its greeting says (server/peers); an
// answer to its questions needs no more than the link.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "cluster/ring/member.h"

namespace kvorum::cluster {

class LinkIndex {
 public:
  constexpr LinkIndex() = default;  // none
  // The dialed link to a member.
  constexpr LinkIndex(MemberIndex member) : value_(member) {}  // NOLINT: implicit by design
  // `place` is the owner's own number for it, not given again for some time.
  static constexpr LinkIndex accepted(uint16_t place) {
    LinkIndex link;
    link.value_ = kAccepted | place;
    return link;
  }

  constexpr bool is_accepted() const { return value_ & kAccepted; }
  // Of a dialed link; kNoMember for an accepted one.
  constexpr MemberIndex member() const {
    return is_accepted() ? kNoMember : static_cast<MemberIndex>(value_);
  }
  // Of an accepted one, as it was given.
  constexpr uint16_t place() const { return static_cast<uint16_t>(value_); }
  constexpr auto operator<=>(const LinkIndex&) const = default;

 private:
  static constexpr uint32_t kAccepted = 1U << 16;
  uint32_t value_ = kNoMember;
};

// A value for each link, dialed and accepted ones apart. Grows to the highest that was asked for.
template <class T>
class ByLink {
 public:
  T& at(LinkIndex link) {
    std::vector<T>& values = link.is_accepted() ? accepted_ : dialed_;
    if (link.place() >= values.size()) values.resize(size_t{link.place()} + 1);
    return values[link.place()];
  }
  const T* find(LinkIndex link) const {
    const std::vector<T>& values = link.is_accepted() ? accepted_ : dialed_;
    return link.place() < values.size() ? &values[link.place()] : nullptr;
  }

 private:
  std::vector<T> dialed_, accepted_;
};

}  // namespace kvorum::cluster
