// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/md5.h"
#include "base/position.h"

namespace kvorum {
namespace {

TEST(Md5Lanes, EachLaneIsTheDigestOfItsMessageAtEveryLength) {
  for (size_t size = 0; size + kMd5Lanes - 1 <= kMd5LaneBytesMax; ++size) {
    std::vector<std::string> texts;
    std::string_view messages[kMd5Lanes];
    for (size_t lane = 0; lane < kMd5Lanes; ++lane) {
      texts.emplace_back(size + lane, static_cast<char>('a' + lane));
    }
    for (size_t lane = 0; lane < kMd5Lanes; ++lane) messages[lane] = texts[lane];
    std::array<uint8_t, 16> digests[kMd5Lanes];
    md5_lanes(messages, digests);
    for (size_t lane = 0; lane < kMd5Lanes; ++lane) {
      EXPECT_EQ(digests[lane], md5(texts[lane]))
          << "lane " << lane << ", size " << texts[lane].size();
    }
  }
}

TEST(PositionsOf, GivesWhatPositionOfGivesForAnyNumberAndLengthOfKeys) {
  for (const Partitioner partitioner : {Partitioner::kMd5, Partitioner::kSlots}) {
    std::vector<std::string> texts;
    for (size_t count = 0; count < 40; ++count) {
      std::vector<std::string_view> keys(texts.begin(), texts.end());
      std::vector<Position> positions(keys.size());
      positions_of(keys, partitioner, positions.data());
      for (size_t at = 0; at < keys.size(); ++at) {
        EXPECT_EQ(positions[at], position_of(keys[at], partitioner)) << "key " << at;
      }
      texts.push_back(std::string(count * 3 % 80, 'x') + "{tag" + std::to_string(count) + "}");
    }
  }
}

}  // namespace
}  // namespace kvorum
