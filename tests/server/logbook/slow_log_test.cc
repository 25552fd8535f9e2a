// SPDX-License-Identifier: Apache-2.0
#include "server/logbook/slow_log.h"

#include <gmock/gmock.h>

namespace kvorum::server {
namespace {

using ::testing::SizeIs;

void add(SlowLog& log, std::vector<std::string_view> words) { log.add(words, {}); }

TEST(SlowLog, JudgesByItsBound) {
  SlowLog log;
  EXPECT_FALSE(log.is_slow(9'999));
  EXPECT_TRUE(log.is_slow(10'000));
  log.set_slower_than_us(0);
  EXPECT_TRUE(log.is_slow(0));
  log.set_slower_than_us(-1);
  EXPECT_FALSE(log.is_slow(UINT64_MAX));
}

TEST(SlowLog, KeepsTheNewest) {
  SlowLog log;
  log.set_length_max(3);
  for (int at = 0; at < 5; ++at) add(log, {"get"});
  ASSERT_THAT(log.newest(10), SizeIs(3));
  EXPECT_EQ(log.newest(1)[0].id, 4u);
  EXPECT_EQ(log.newest(10)[2].id, 2u);
  log.set_length_max(1);
  EXPECT_EQ(log.length(), 1u);
  log.reset();
  EXPECT_EQ(log.length(), 0u);
  add(log, {"get"});
  EXPECT_EQ(log.newest(1)[0].id, 5u);  // ids go on
}

TEST(SlowLog, CutsWords) {
  SlowLog log;
  const std::string longest(128, 'x'), longer(130, 'y');
  add(log, {"set", longest, longer});
  EXPECT_EQ(log.newest(1)[0].words[1], longest);
  EXPECT_EQ(log.newest(1)[0].words[2], std::string(128, 'y') + "... (2 more bytes)");
  add(log, std::vector<std::string_view>(32, "k"));
  EXPECT_EQ(log.newest(1)[0].words[31], "k");
  add(log, std::vector<std::string_view>(33, "k"));
  ASSERT_THAT(log.newest(1)[0].words, SizeIs(32));
  EXPECT_EQ(log.newest(1)[0].words[31], "... (2 more arguments)");
}

}  // namespace
}  // namespace kvorum::server
