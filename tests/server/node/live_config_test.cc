// SPDX-License-Identifier: Apache-2.0
#include "server/node/live_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

Config load(const std::string& text) {
  const ConfigReport report = load_config(text, "f.yaml");
  EXPECT_TRUE(report.ok()) << report.to_text();
  return report.config;
}

TEST(LiveConfig, TheSameFileChangesNothing) {
  EXPECT_TRUE(
      config_changes(load("log: {level: debug}\n"), load("log: {level: debug}\n"), false).empty());
}

TEST(LiveConfig, LimitsLevelAndPasswordCanChange) {
  const Config running = load("");
  const Config fresh =
      load("log: {level: debug}\nlimits: {clients: 7, hints: 2gb}\npassword: sesame\n");
  EXPECT_THAT(config_changes(running, fresh, false),
              testing::ElementsAre(ConfigChange{"limits.clients", "10000", "7", true},
                                   ConfigChange{"limits.hints", "1gb", "2gb", true},
                                   ConfigChange{"password", "none", "********", true},
                                   ConfigChange{"log.level", "info", "debug", true}));
  const Config joined = with_live_part(running, fresh, false);
  EXPECT_EQ(joined.limits.clients, 7u);
  EXPECT_THAT(joined.passwords, testing::ElementsAre("sesame"));
  EXPECT_EQ(joined.log.level, LogLevel::kDebug);
}

TEST(LiveConfig, APasswordIsNeverShown) {
  const auto changes =
      config_changes(load("password: sesame\n"), load("password: swordfish\n"), false);
  EXPECT_THAT(changes,
              testing::ElementsAre(ConfigChange{"password", "********", "********", true}));
}

TEST(LiveConfig, WhatNeedsARestartIsNamedAndLeftAsItWas) {
  const Config running = load("listen: {redis: 127.0.0.1:7000}\n");
  const Config fresh = load(
      "listen: {redis: 127.0.0.1:7001}\nengine: {sync: always}\n"
      "cluster: {secret: a-new-secret}\n");
  const auto changes = config_changes(running, fresh, false);
  std::vector<std::string> keys;
  for (const ConfigChange& change : changes) {
    EXPECT_FALSE(change.live) << change.key;
    keys.push_back(change.key);
  }
  EXPECT_THAT(keys, testing::UnorderedElementsAre("cluster.secret", "engine.sync", "listen.redis"));
  EXPECT_EQ(with_live_part(running, fresh, false).engine.sync, running.engine.sync);
}

// What may be evicted is fixed at the start: a missing key need not be one that never was.
TEST(LiveConfig, EvictionChangesAndEndsButDoesNotBegin) {
  const auto with = [](const std::string& policy) {
    return load("engine: {type: memory, memory: 1gb, eviction: " + policy +
                "}\nkeyspaces: {default: {conflicts: lww}}\n");
  };
  const Config none = with("noeviction"), lru = with("allkeys-lru"), ttl = with("volatile-ttl");
  EXPECT_THAT(
      config_changes(lru, ttl, true),
      testing::ElementsAre(ConfigChange{"engine.eviction", "allkeys-lru", "volatile-ttl", true}));
  EXPECT_EQ(with_live_part(lru, ttl, true).engine.eviction, ttl.engine.eviction);
  EXPECT_EQ(with_live_part(lru, none, true).engine.eviction, none.engine.eviction);
  EXPECT_THAT(
      config_changes(none, lru, false),
      testing::ElementsAre(ConfigChange{"engine.eviction", "noeviction", "allkeys-lru", false}));
  EXPECT_EQ(with_live_part(none, lru, false).engine.eviction, none.engine.eviction);
}

TEST(LiveConfig, MembersKeyspacesAndSecretsAreToldEachByItself) {
  const std::string members = "{name: a, peer: '127.0.0.1:1'}, {name: b, peer: '127.0.0.1:2'";
  const Config running = load("node: {name: a}\ncluster: {members: [" + members + "}]}\n");
  const Config fresh =
      load("node: {name: a}\ncluster: {secret: a-new-secret, members: [" + members +
           ", rack: r}]}\nkeyspaces: {carts: {db: 3}}\nadmin: {hosts: [x, y]}\nlog: {file: f}\n");
  const std::string entry =
      "{db: 3, n: 3, r: 2, w: 2, conflicts: siblings, sloppy: true, writes_when_short: hint, "
      "reads_when_short: fail}";
  EXPECT_THAT(
      config_changes(running, fresh, false),
      testing::ElementsAre(
          ConfigChange{"admin.hosts", "[]", "[x, y]", true},
          ConfigChange{"cluster.secret", "none", "********", false},
          ConfigChange{"cluster.members.1", R"({name: "b", peer: "127.0.0.1:2", weight: 1})",
                       R"({name: "b", peer: "127.0.0.1:2", weight: 1, rack: "r"})", false},
          ConfigChange{"keyspaces.carts", "nothing", entry, false},
          ConfigChange{"log.file", "nothing", "\"f\"", false}));
}

TEST(LiveConfig, TakesWhatCanChangeAndKeepsTheRest) {
  LiveConfig live(load("engine: {sync: never}\n"));
  const auto before = live.get();
  const auto after = live.joined(load("engine: {sync: always}\nlimits: {clients: 7}\n"));
  EXPECT_EQ(before, live.get());  // until it is in force everywhere
  live.show(after);
  EXPECT_EQ(after, live.get());
  EXPECT_EQ(after->limits.clients, 7u);
  EXPECT_EQ(after->engine.sync, before->engine.sync);
  EXPECT_NE(before->limits.clients, 7u);  // who took it before keeps it
}

TEST(LiveConfig, EvictionThatEndedBeginsAgainWhereItWasAtTheStart) {
  const auto with = [](const std::string& policy) {
    return load("engine: {type: memory, memory: 1gb, eviction: " + policy +
                "}\nkeyspaces: {default: {conflicts: lww}}\n");
  };
  const Config lru = with("allkeys-lru"), none = with("noeviction");
  LiveConfig live(lru);
  live.show(live.joined(none));
  EXPECT_EQ(live.get()->engine.eviction, none.engine.eviction);
  EXPECT_EQ(live.joined(lru)->engine.eviction, lru.engine.eviction);
  EXPECT_EQ(LiveConfig(none).joined(lru)->engine.eviction, none.engine.eviction);
}

}  // namespace
}  // namespace kvorum::server
