// SPDX-License-Identifier: Apache-2.0
#include "bench/options.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace kvorum::bench {
namespace {

ParsedOptions parse(std::initializer_list<const char*> arguments) {
  std::vector<const char*> all{"kvorum-bench"};
  all.insert(all.end(), arguments);
  return parse_options(static_cast<int>(all.size()), all.data());
}

TEST(Options, HaveTheDefaultsThatTheHelpNames) {
  const ParsedOptions parsed = parse({"127.0.0.1:6379"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->connections, 50u);
  EXPECT_EQ(parsed.options->value_bytes, 100u);
  EXPECT_EQ(parsed.options->key_space.keys, 1'000'000u);
  EXPECT_EQ(parsed.options->plan.depth, 1u);
  EXPECT_EQ(parsed.options->plan.mix.get, 1.0);
  EXPECT_EQ(parsed.options->plan.duration_ns, 5'000'000'000u);
  EXPECT_FALSE(parsed.options->fill);
}

TEST(Options, TakeSeveralServersAndTheirProcesses) {
  const ParsedOptions parsed =
      parse({"a:1", "b:2", "--server-pids", "11,12,13", "--protocol", "memcached"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->addresses, (std::vector<std::string>{"a:1", "b:2"}));
  EXPECT_EQ(parsed.options->server_pids, (std::vector<pid_t>{11, 12, 13}));
  EXPECT_EQ(parsed.options->protocol, Protocol::kMemcached);
}

TEST(Options, ACountOfOperationsReplacesTheTime) {
  const ParsedOptions parsed = parse({"a:1", "--operations", "1000"});
  ASSERT_TRUE(parsed.options);
  EXPECT_EQ(parsed.options->plan.operations_max, 1000u);
  EXPECT_EQ(parsed.options->plan.duration_ns, UINT64_MAX);
}

TEST(Options, RefuseWhatMakesNoSense) {
  for (const auto& wrong : std::vector<std::vector<const char*>>{
           {"kvorum-bench"},
           {"kvorum-bench", "a:1", "--depth", "0"},
           {"kvorum-bench", "a:1", "--mix", "got=1"},
           {"kvorum-bench", "a:1", "--rate", "100", "--depth", "4"},
           {"kvorum-bench", "a:1", "--seconds", "1", "--operations", "5"},
           {"kvorum-bench", "a:1", "--distribution", "zipf", "--keys", "1000000000"},
           {"kvorum-bench", "a:1", "--nonsense"}}) {
    const ParsedOptions parsed = parse_options(static_cast<int>(wrong.size()), wrong.data());
    EXPECT_FALSE(parsed.options) << wrong.back();
    EXPECT_EQ(parsed.exit_status, 2) << wrong.back();
  }
}

TEST(Options, SharesOfAMixAddUpToOne) {
  const Result<Mix> mix = parse_mix("get=60,set=20,incr=20");
  ASSERT_TRUE(mix.ok());
  EXPECT_DOUBLE_EQ(mix.value().get, 0.6);
  EXPECT_DOUBLE_EQ(mix.value().set, 0.2);
  EXPECT_DOUBLE_EQ(mix.value().increment, 0.2);
  for (const char* wrong : {"", "get=0", "get=-1", "get=x", "get=1x", "get=inf", ",", "del"})
    EXPECT_FALSE(parse_mix(wrong).ok()) << wrong;
}

}  // namespace
}  // namespace kvorum::bench
