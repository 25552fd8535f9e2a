// SPDX-License-Identifier: Apache-2.0
// Members for tests of ring, placement and views: names n0, n1 ..., ids that are digests of the
// names as in a real cluster, so that their order is not the order of the names.
#pragma once

#include <string>
#include <vector>

#include "cluster/ring/founding.h"

namespace kvorum::cluster::fixtures {

struct Places {
  uint32_t racks = 0, zones = 0;  // member i stands in rack i % racks and zone i % zones
};

inline std::vector<Member> make_members(uint32_t count, Places places = {}) {
  std::vector<Member> members;
  for (uint32_t index = 0; index < count; ++index) {
    Member member;
    member.name = "n" + std::to_string(index);
    member.id = founder_id(1, member.name);
    member.peer = {"127.0.0.1", static_cast<uint16_t>(7379 + index)};
    if (places.racks > 0) member.rack = "r" + std::to_string(index % places.racks);
    if (places.zones > 0) member.zone = "z" + std::to_string(index % places.zones);
    members.push_back(member);
  }
  return members;
}

}  // namespace kvorum::cluster::fixtures
