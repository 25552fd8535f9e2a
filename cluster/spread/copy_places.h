// SPDX-License-Identifier: Apache-2.0
// Chooses the nodes of a partition's copies: clockwise from the partition, but no zone twice as
// long as another one can be had, nor a rack. A zone or rack that owns less than a third of what
// one copy of everything would be is only used where it is near, so that small ones are not given a
// copy of everything: the nodes of a place get together at most three times the copies that their
// partitions ask for. Called by Ring for each partition, when a view is built; keeps its scratch
// memory between calls.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cluster/spread/windows.h"

namespace kvorum::cluster {

class CopyPlaces {
 public:
  // Both spans outlive this. There is a power of two of owners; they are indexes of members.
  // REQUIRES: at least `copies` distinct owners.
  CopyPlaces(std::span<const uint16_t> owners, const PlaceNumbers& places, uint32_t copies);

  // So many nodes, in the order of preference; the first is the partition's owner.
  std::span<const uint16_t> of(uint32_t partition);

 private:
  struct Candidate {
    uint16_t member;
    uint32_t in_zone, in_rack;  // copies that stand there already
    bool is_chosen;
  };

  // The zones, or racks, of the candidates.
  struct Groups {
    std::span<const uint16_t> of_member;
    std::vector<bool> is_sought;       // by number: must be found, if it takes the whole ring
    std::vector<uint32_t> last_met;    // by number: the search that met it
    uint32_t sought = 0;               // how many are
    uint32_t met = 0, sought_met = 0;  // in this search
  };

  Groups groups_of(std::span<const uint16_t> of_member) const;
  void meet(Groups& groups, uint16_t member) const;
  bool is_enough(const Groups& groups) const;
  void find_candidates(uint32_t partition);

  const std::span<const uint16_t> owners_;
  const uint32_t copies_;
  Groups zones_, racks_;
  uint32_t search_ = 0;
  std::vector<Candidate> candidates_;
  std::vector<uint16_t> chosen_;
};

}  // namespace kvorum::cluster
