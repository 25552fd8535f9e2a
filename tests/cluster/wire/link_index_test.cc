// SPDX-License-Identifier: Apache-2.0
#include "cluster/wire/link_index.h"

#include <gtest/gtest.h>

#include <string>

namespace kvorum::cluster {
namespace {

TEST(LinkIndex, DialedAndAcceptedOnesNeverMeet) {
  for (uint32_t number = 0; number < kNoMember; number += 257) {
    const LinkIndex dialed(static_cast<MemberIndex>(number));
    const LinkIndex accepted = LinkIndex::accepted(static_cast<uint16_t>(number));
    EXPECT_NE(dialed, accepted);
    EXPECT_EQ(dialed.member(), number);
    EXPECT_EQ(accepted.member(), kNoMember) << "an answer that comes there is nobody's";
    EXPECT_EQ(accepted.place(), number);
    EXPECT_FALSE(dialed.is_accepted());
    EXPECT_TRUE(accepted.is_accepted());
  }
  EXPECT_EQ(LinkIndex().member(), kNoMember);
}

TEST(LinkIndex, ValuesByLink) {
  ByLink<std::string> values;
  EXPECT_EQ(values.find(LinkIndex(3)), nullptr);
  values.at(LinkIndex(3)) = "dialed";
  values.at(LinkIndex::accepted(3)) = "accepted";
  EXPECT_EQ(*values.find(LinkIndex(3)), "dialed");
  EXPECT_EQ(*values.find(LinkIndex::accepted(3)), "accepted");
  EXPECT_EQ(*values.find(LinkIndex(2)), "");
  EXPECT_EQ(values.find(LinkIndex::accepted(4)), nullptr);
}

}  // namespace
}  // namespace kvorum::cluster
