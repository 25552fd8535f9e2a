// SPDX-License-Identifier: Apache-2.0
#include "server/connection/pending_keys.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

namespace kvorum::server {
namespace {

TEST(PendingKeys, ReadsRunSideBySideAndPlainWritesFollowEachOther) {
  PendingKeys pending;
  EXPECT_FALSE(pending.must_wait(7, KeyUse::kEdit));
  pending.add(7, KeyUse::kRead);
  EXPECT_FALSE(pending.must_wait(7, KeyUse::kRead));
  EXPECT_TRUE(pending.must_wait(7, KeyUse::kBlindWrite));
  EXPECT_TRUE(pending.must_wait(7, KeyUse::kEdit));
  EXPECT_FALSE(pending.must_wait(8, KeyUse::kEdit));
  pending.remove(7, KeyUse::kRead);

  pending.add(7, KeyUse::kBlindWrite);
  EXPECT_TRUE(pending.must_wait(7, KeyUse::kRead));
  EXPECT_FALSE(pending.must_wait(7, KeyUse::kBlindWrite));
  EXPECT_TRUE(pending.must_wait(7, KeyUse::kEdit));
  pending.remove(7, KeyUse::kBlindWrite);

  pending.add(7, KeyUse::kEdit);
  EXPECT_TRUE(pending.must_wait(7, KeyUse::kRead));
  EXPECT_TRUE(pending.must_wait(7, KeyUse::kBlindWrite));
  EXPECT_TRUE(pending.must_wait(7, KeyUse::kEdit));
  pending.remove(7, KeyUse::kEdit);
  EXPECT_FALSE(pending.must_wait(7, KeyUse::kEdit));
  EXPECT_EQ(pending.size(), 0u);
}

// Against a plain map, with places that collide.
RC_GTEST_PROP(PendingKeys, KnowsWhatAMapKnows, ()) {
  PendingKeys pending;
  std::map<std::pair<uint64_t, KeyUse>, int> model;
  const auto steps = *rc::gen::container<std::vector<std::pair<uint8_t, uint8_t>>>(
      rc::gen::pair(rc::gen::inRange<uint8_t>(0, 80), rc::gen::inRange<uint8_t>(0, 6)));
  for (const auto& [number, what] : steps) {
    const uint64_t place = number % 2 == 0 ? number : uint64_t{number} << 56;
    const KeyUse use = static_cast<KeyUse>(what % 3);
    int& count = model[{place, use}];
    if (what < 3) {
      pending.add(place, use);
      ++count;
    } else if (count > 0) {
      pending.remove(place, use);
      --count;
    }
    for (const auto& [key, open] : model) {
      const bool others = model[{key.first, KeyUse::kRead}] + model[{key.first, KeyUse::kEdit}] > 0;
      RC_ASSERT(pending.must_wait(key.first, KeyUse::kBlindWrite) == others);
    }
  }
}

}  // namespace
}  // namespace kvorum::server
