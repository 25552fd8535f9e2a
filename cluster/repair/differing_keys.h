// SPDX-License-Identifier: Apache-2.0
// Which keys of a stretch the asker of an exchange has to repair, and in which direction: from its
// own objects and from what the peer said about their digests. Private to the anti-entropy
// machines.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/repair/range_objects.h"

namespace kvorum::cluster {

struct DifferingKey {
  std::string key;
  bool pull;           // from the peer, which writes back what the peer lacks; else only a push
  uint64_t newest_ms;  // of the versions that either has
};

struct DifferingRules {
  bool lww = false;    // the newest version of each key is all that counts
  bool gives = false;  // the asker owns the range no more: it hands over, and takes nothing
};

// The digests of the range's objects, ascending, as the peer is asked about them.
std::vector<uint64_t> digests_of(const RangeObjects& own);
// What is to be repaired after that answer. Nothing where the answer makes no sense.
std::optional<std::vector<DifferingKey>> differing_keys(const RangeObjects& own,
                                                        const RangeDifferences& found,
                                                        const DifferingRules& rules);

}  // namespace kvorum::cluster
