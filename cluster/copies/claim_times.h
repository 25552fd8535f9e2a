// SPDX-License-Identifier: Apache-2.0
// How long a claim (claims.h) lasts, by a quarter of the time for its request. Its owner makes a
// version within the first two quarters, or claims anew; a replica lets nobody else in before the
// third is over, so that what was made at the last moment has arrived. Private to cluster/.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace kvorum::cluster {

inline uint64_t now_ms(Now now) { return now.steady_us / 1000; }
inline uint64_t claim_usable_us(uint64_t quarter_us) { return 2 * quarter_us; }
inline uint32_t claim_ms(uint64_t quarter_us) {
  return static_cast<uint32_t>(3 * quarter_us / 1000);
}

}  // namespace kvorum::cluster
