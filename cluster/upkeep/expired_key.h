// SPDX-License-Identifier: Apache-2.0
// A key whose value reached its deadline, for those who are told of that. A plain value.
#pragma once

#include <cstdint>
#include <string>

namespace kvorum::cluster {

struct ExpiredKey {
  uint8_t keyspace = 0;
  std::string key;
};

}  // namespace kvorum::cluster
