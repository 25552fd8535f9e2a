// SPDX-License-Identifier: Apache-2.0
#include "server/config/config.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/server/config/config_fixture.h"

namespace kvorum::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST(ConfigDefaults, NoFileIsOneDurableNodeOnTheUsualPorts) {
  const Config config = config_of("");
  EXPECT_EQ(config.node.name, "a");
  EXPECT_EQ(config.node.data_directory, "./data/a");
  EXPECT_EQ(config.listen.redis.to_text(), "127.0.0.1:6379");
  EXPECT_EQ(config.listen.memcached.to_text(), "127.0.0.1:11211");
  EXPECT_EQ(config.listen.peer.to_text(), "127.0.0.1:7379");
  EXPECT_EQ(config.listen.admin.to_text(), "127.0.0.1:8379");
  ASSERT_THAT(config.cluster.founders, SizeIs(1));
  EXPECT_EQ(config.cluster.founders[0].member.name, "a");
  EXPECT_EQ(config.cluster.founders[0].member.peer.to_text(), "127.0.0.1:7379");
  EXPECT_TRUE(config.is_founder());
  EXPECT_EQ(config.engine.type, EngineType::kLevelDb);
  EXPECT_EQ(config.engine.sync, engine::SyncPolicy::kInterval);
  EXPECT_EQ(config.engine.memory_bytes, 1ULL << 30);
  EXPECT_EQ(config.cluster.partitions, 256U);
  EXPECT_EQ(config.reactors, 0U);
  EXPECT_EQ(config.limits.clients, 10000U);
  EXPECT_EQ(config.limits.request_timeout_ms, 1000U);
  EXPECT_EQ(config.limits.value_bytes, 512U << 20);
  EXPECT_EQ(config.limits.value_warn_bytes, 1U << 20);
  EXPECT_EQ(config.limits.item_bytes, 1U << 20);
  EXPECT_EQ(config.limits.pipeline_bytes, 64U << 20);
  EXPECT_EQ(config.limits.in_flight_bytes, 256U << 20);
  EXPECT_EQ(config.limits.client_output_bytes, 1U << 20);
  EXPECT_EQ(config.limits.client_output_wait_ms, 60'000U);
  EXPECT_EQ(config.limits.siblings, 100U);
  EXPECT_EQ(config.limits.peer_links, 256U);
  EXPECT_EQ(config.limits.clock_entries_max, 10U);
  EXPECT_EQ(config.limits.hints_bytes, 1U << 30);
  EXPECT_EQ(config.limits.foreground_p99_ms, 10U);
  EXPECT_EQ(config.timing.gossip_ms, 1000U);
  EXPECT_EQ(config.timing.hints_ms, 5000U);
  EXPECT_EQ(config.timing.anti_entropy_ms, 30000U);
  EXPECT_EQ(config.timing.read_repair_wait_ms, 100U);
  EXPECT_EQ(config.timing.scrub_ms, 3'600'000U);
  EXPECT_EQ(config.clock_offset_ms, 0);
  EXPECT_EQ(config.log.level, LogLevel::kInfo);
  EXPECT_TRUE(config.passwords.empty());
  EXPECT_FALSE(config.peer_insecure);
}

TEST(ConfigDefaults, ALoneNodeMayKeepTheUsualQuorum) {
  const auto view = make_view(config_of(""));
  EXPECT_EQ(view.keyspaces[0].n, 3);
  EXPECT_EQ(view.quorum(0), (cluster::EffectiveQuorum{1, 1, 1}));
  EXPECT_EQ(view.self, 0);
}

TEST(Config, ReadsEveryKey) {
  const Config config = config_of(R"(
node:    {name: b, data: /d, rack: r1, zone: z1, weight: 3}
listen:  {redis: "[::1]:1", memcached: "h:2", peer: "h:3", admin: "h:4"}
cluster:
  name: demo
  secret: "s # x"
  partitions: 1024
  partitioner: slots
keyspaces:
  default: {n: 5, r: 1, w: 4, conflicts: lww, sloppy: false, writes_when_short: reject,
            reads_when_short: serve}
engine:  {type: memory, sync: always, memory: 64mb, eviction: none}
reactors: 4
limits:  {clients: 7, request_timeout: 250ms, value: 3mb, value_warn: 2kb, pipeline_bytes: 1gb,
          siblings: 9, in_flight: 2gb, client_output: 3mb, client_output_wait: 4s,
          clock_entries_max: 15, hints: 256mb, foreground_p99: 25ms}
password: 1234
timing:  {gossip: 10ms, hints: 20ms, anti_entropy: 1m, read_repair_wait: 0, scrub: 2h}
debug:   {clock_offset: -5s}
log:     {level: debug, format: json}
)");
  EXPECT_EQ(config.node.name, "b");
  EXPECT_EQ(config.node.data_directory, "/d");
  EXPECT_EQ(config.node.rack, "r1");
  EXPECT_EQ(config.node.weight, 3U);
  EXPECT_EQ(config.listen.redis, (cluster::Endpoint{"::1", 1}));
  EXPECT_EQ(config.listen.memcached, (cluster::Endpoint{"h", 2}));
  EXPECT_EQ(config.listen.peer, (cluster::Endpoint{"h", 3}));
  EXPECT_EQ(config.listen.admin, (cluster::Endpoint{"h", 4}));
  EXPECT_THAT(config.cluster.secrets, ElementsAre("s # x"));
  EXPECT_EQ(config.cluster.partitions, 1024U);
  EXPECT_EQ(config.cluster.partitioner, Partitioner::kSlots);
  ASSERT_THAT(config.cluster.founders, SizeIs(1));
  EXPECT_EQ(config.cluster.founders[0].member.zone, "z1");
  EXPECT_EQ(config.cluster.founders[0].member.weight, 3U);
  const cluster::KeyspacePolicy& policy = config.keyspaces[0];
  EXPECT_EQ(policy.n, 5);
  EXPECT_EQ(policy.r, 1);
  EXPECT_EQ(policy.w, 4);
  EXPECT_EQ(policy.conflicts, cluster::ConflictPolicy::kLww);
  EXPECT_FALSE(policy.sloppy);
  EXPECT_EQ(policy.writes_when_short, cluster::WritesWhenShort::kReject);
  EXPECT_EQ(policy.reads_when_short, cluster::ReadsWhenShort::kServe);
  EXPECT_EQ(config.engine.type, EngineType::kMemory);
  EXPECT_EQ(config.engine.sync, engine::SyncPolicy::kAlways);
  EXPECT_EQ(config.engine.memory_bytes, 64U << 20);
  EXPECT_EQ(config.reactors, 4U);
  EXPECT_EQ(config.limits.clients, 7U);
  EXPECT_EQ(config.limits.request_timeout_ms, 250U);
  EXPECT_EQ(config.limits.value_bytes, 3U << 20);
  EXPECT_EQ(config.limits.value_warn_bytes, 2048U);
  EXPECT_EQ(config.limits.pipeline_bytes, 1U << 30);
  EXPECT_EQ(config.limits.in_flight_bytes, 2ULL << 30);
  EXPECT_EQ(config.limits.client_output_bytes, 3U << 20);
  EXPECT_EQ(config.limits.client_output_wait_ms, 4'000U);
  EXPECT_EQ(config.limits.siblings, 9U);
  EXPECT_EQ(config.limits.clock_entries_max, 15U);
  EXPECT_EQ(config.limits.hints_bytes, 256U << 20);
  EXPECT_EQ(config.limits.foreground_p99_ms, 25U);
  EXPECT_THAT(config.passwords, ElementsAre("1234"));
  EXPECT_EQ(config.timing.gossip_ms, 10U);
  EXPECT_EQ(config.timing.hints_ms, 20U);
  EXPECT_EQ(config.timing.anti_entropy_ms, 60000U);
  EXPECT_EQ(config.timing.read_repair_wait_ms, 0U);
  EXPECT_EQ(config.timing.scrub_ms, 7'200'000U);
  EXPECT_EQ(config.clock_offset_ms, -5000);
  EXPECT_EQ(config.log.level, LogLevel::kDebug);
  EXPECT_EQ(config.log.format, LogFormat::kJson);
}

TEST(Config, ReadsWhatClientsAreAllowed) {
  const Config config = config_of(R"(
listen:  {redis_socket: /r, memcached_socket: /m, socket_mode: 0770, backlog: 77}
limits:  {subscriber_output: 5mb, subscriber_behind: 6mb, subscriber_behind_wait: 7s,
          client_idle: 8m, client_keepalive: 9s, item: 2mb}
)");
  EXPECT_EQ(config.listen.redis_socket, "/r");
  EXPECT_EQ(config.listen.memcached_socket, "/m");
  EXPECT_EQ(config.listen.socket_mode, 0770U);
  EXPECT_EQ(config.listen.backlog, 77U);
  EXPECT_EQ(config.limits.subscriber_output_bytes, 5U << 20);
  EXPECT_EQ(config.limits.subscriber_behind_bytes, 6U << 20);
  EXPECT_EQ(config.limits.subscriber_behind_ms, 7'000U);
  EXPECT_EQ(config.limits.client_idle_ms, 480'000U);
  EXPECT_EQ(config.limits.client_keepalive_ms, 9'000U);
  EXPECT_EQ(config.limits.item_bytes, 2U << 20);
}

TEST(Config, ItemsMayBeLargerByAnOption) {
  const auto with = [](const char* option) {
    Overrides overrides;
    overrides.item = option;
    return load_config("limits: {item: 2mb}", "file", overrides);
  };
  EXPECT_EQ(with("4m").config.limits.item_bytes, 4U << 20);
  EXPECT_EQ(with("512K").config.limits.item_bytes, 512U << 10);
  EXPECT_EQ(with("4096").config.limits.item_bytes, 4096U);
  EXPECT_THAT(with("1023").to_text(), HasSubstr("--max-item-size: allowed are 1kb to 512mb"));
  EXPECT_THAT(with("much").to_text(), HasSubstr("--max-item-size: 'much' is not a size"));
}

TEST(Config, ReadsTheBoundOfLinks) {
  EXPECT_EQ(config_of("limits: {peer_links: 77}").limits.peer_links, 77U);
}

TEST(Config, EmptySectionsAreTheDefaults) {
  EXPECT_EQ(show_config(config_of("node:\nlisten:\ncluster: {members: }\nengine: {}\n")),
            show_config(config_of("")));
}

TEST(ConfigKeyspaces, InheritFromDefaultWhereverItStands) {
  const Config config = config_of(
      "keyspaces:\n"
      "  carts: {db: 1, r: 1}\n"
      "  default: {n: 5, r: 2, w: 3, conflicts: lww, sloppy: false}\n");
  EXPECT_EQ(config.keyspaces[1].name, "carts");
  EXPECT_EQ(config.keyspaces[1].n, 5);
  EXPECT_EQ(config.keyspaces[1].r, 1);
  EXPECT_EQ(config.keyspaces[1].w, 3);
  EXPECT_FALSE(config.keyspaces[1].sloppy);
  for (uint8_t db = 2; db < kKeyspacesMax; ++db) {
    EXPECT_EQ(config.keyspaces[db].name, "default");
    EXPECT_EQ(config.keyspaces[db].db, db);
    EXPECT_EQ(config.keyspaces[db].n, 5);
    EXPECT_EQ(config.keyspaces[db].conflicts, cluster::ConflictPolicy::kLww);
  }
}

TEST(ConfigNode, NameChoosesTheMemberAndItsAddresses) {
  const Config config = config_of(kThree, named("b"));
  EXPECT_EQ(config.node.name, "b");
  EXPECT_EQ(config.node.data_directory, "/var/b");
  EXPECT_EQ(config.node.weight, 2U);
  EXPECT_EQ(config.node.rack, "r2");
  EXPECT_EQ(config.node.zone, "z2");
  EXPECT_EQ(config.listen.redis.to_text(), "127.0.0.1:6380");
  EXPECT_EQ(config.listen.memcached.to_text(), "127.0.0.1:11212");
  EXPECT_EQ(config.listen.peer.to_text(), "127.0.0.1:7380");
  EXPECT_EQ(config.listen.admin.to_text(), "127.0.0.1:8380");
  EXPECT_EQ(load_config(kThree, "f", "b").config.node.name, "b");
  EXPECT_EQ(config_of(kThree, named("c")).node.data_directory, "./data/c");
}

TEST(ConfigNode, SeveralMembersAndNoNameIsAChoiceNotAProblem) {
  const ConfigReport report = load_config(kThree, "f.yaml");
  EXPECT_TRUE(report.ok()) << report.to_text();
  EXPECT_THAT(report.choices, ElementsAre("a", "b", "c"));
  EXPECT_EQ(report.choose_name_text("f.yaml"),
            "f.yaml describes several nodes; choose one with --name: a, b, c");
  EXPECT_THAT(show_config(report.config), AllOf(StartsWith("cluster:"), Not(HasSubstr("listen"))));
  EXPECT_THAT(load_config(kThree, "f.yaml", "a").choices, IsEmpty());
}

TEST(ConfigNode, TheOnlyMemberNeedsNoName) {
  const Config config = config_of("cluster: {secret: s, members: [{name: solo, peer: 'h:1'}]}");
  EXPECT_EQ(config.node.name, "solo");
  EXPECT_EQ(config.listen.peer.to_text(), "h:1");
}

TEST(ConfigNode, AStrangerIsNoFounder) {
  const Config config = config_of(kThree, named("d"));
  EXPECT_FALSE(config.is_founder());
  EXPECT_THAT(config.cluster.founders, SizeIs(3));
  EXPECT_FALSE(make_view(config).is_member());
  EXPECT_EQ(config.listen.peer.to_text(), "127.0.0.1:7379");
}

TEST(ConfigNode, TheNodeSectionOfAnotherNameIsNotThisNode) {
  const std::string text =
      "peer: {insecure: true}\n"
      "node: {name: a, data: /var/a, weight: 5, rack: q}\n"
      "listen: {redis: 127.0.0.1:1, peer: 0.0.0.0:9}\n" +
      std::string(kThree);
  const Config b = config_of(text, named("b"));
  EXPECT_EQ(b.listen.redis.to_text(), "127.0.0.1:6380");
  EXPECT_EQ(b.listen.peer.to_text(), "127.0.0.1:7380");
  EXPECT_EQ(b.node.data_directory, "/var/b");
  EXPECT_EQ(b.node.weight, 2U);
  EXPECT_EQ(config_of(text, named("c")).listen.redis.to_text(), "127.0.0.1:6379");
}

TEST(ConfigNode, ListenWinsOverTheEntryOfANamedNodeAndYieldsOtherwise) {
  const std::string listen =
      "peer: {insecure: true}\nlisten: {redis: 127.0.0.1:1, peer: 0.0.0.0:9}\n";
  const Config own = config_of("node: {name: b}\n" + listen + std::string(kThree));
  EXPECT_EQ(own.listen.redis.to_text(), "127.0.0.1:1");
  EXPECT_EQ(own.listen.peer.to_text(), "0.0.0.0:9");
  EXPECT_EQ(own.cluster.founders[1].member.peer.to_text(), "127.0.0.1:7380");
  const Config shared = config_of(listen + std::string(kThree), named("b"));
  EXPECT_EQ(shared.listen.redis.to_text(), "127.0.0.1:6380");
  EXPECT_EQ(config_of(listen + std::string(kThree), named("c")).listen.redis.to_text(),
            "127.0.0.1:1");
}

TEST(ConfigNode, AFoundersPlaceStandsInItsEntry) {
  const std::string three(kThree);
  EXPECT_EQ(config_of("node: {name: b, rack: r2, zone: z2, weight: 2}\n" + three).node.rack, "r2");
  EXPECT_THAT(
      problems_of("node: {name: b, rack: r9, weight: 1}\n" + three),
      ElementsAre(
          "f.yaml:1:23: node.rack: 'r9' differs from that of member 'b', 'r2'; all nodes go "
          "by cluster.members, so set it there",
          "f.yaml:1:35: node.weight: '1' differs from that of member 'b', '2'; all nodes go "
          "by cluster.members, so set it there"));
  EXPECT_THAT(problems_of("node: {name: a, zone: z}\n" + three),
              ElementsAre(HasSubstr("node.zone: 'z' differs from that of member 'a', which has "
                                    "none; all nodes go by")));
}

TEST(ConfigOverrides, WinOverTheFile) {
  Overrides overrides;
  overrides.name = "b";
  overrides.redis = "h:1";
  overrides.memcached = "h:2";
  overrides.peer = "h:3";
  overrides.admin = "[::]:4";
  overrides.data = "/other";
  overrides.engine = "memory";
  const Config config = config_of("peer: {insecure: true}\n" + std::string(kThree), overrides);
  EXPECT_EQ(config.listen.redis.to_text(), "h:1");
  EXPECT_EQ(config.listen.memcached.to_text(), "h:2");
  EXPECT_EQ(config.listen.peer.to_text(), "h:3");
  EXPECT_EQ(config.listen.admin.to_text(), "[::]:4");
  EXPECT_EQ(config.node.data_directory, "/other");
  EXPECT_EQ(config.engine.type, EngineType::kMemory);
  // The others know this node by the file's address: the cluster id hangs on it.
  EXPECT_EQ(config.cluster.founders[1].member.peer.to_text(), "127.0.0.1:7380");
}

TEST(ConfigOverrides, AreCheckedLikeTheFile) {
  Overrides overrides;
  overrides.name = "a b";
  overrides.redis = "h";
  overrides.engine = "levledb";
  EXPECT_THAT(problems_of("", overrides),
              ElementsAre("--name: 'a b' is not a name; 1 to 64 letters, digits, '.', '_' and '-' "
                          "are",
                          "--engine: 'levledb' is unknown; did you mean 'leveldb'?",
                          "--redis: 'h': the port is missing; write host:port"));
}

TEST(ConfigFile, IsReadOrNamed) {
  const std::string path = ::testing::TempDir() + "kvorum_config_test.yaml";
  std::ofstream(path) << "node: {name: zed}\nlog: {level: lod}\n";
  const ConfigReport report = load_config_file(path);
  EXPECT_EQ(report.config.node.name, "zed");
  EXPECT_EQ(
      report.to_text(),
      path + ":2:14: log.level: 'lod' is unknown; known are trace, debug, info, warn, error\n");
  std::filesystem::remove(path);
  EXPECT_EQ(load_config_file(path).to_text(),
            path + ": the file cannot be read: No such file or directory\n");
  EXPECT_EQ(load_config_file(::testing::TempDir()).to_text(),
            ::testing::TempDir() + ": the file cannot be read: Is a directory\n");
  EXPECT_EQ(load_config_file("/dev/zero").to_text(),
            "/dev/zero: this is no configuration: it is larger than 1mb\n");
}

TEST(ConfigSecrets, AreOneTextOrAList) {
  EXPECT_THAT(config_of("password: a").passwords, ElementsAre("a"));
  EXPECT_THAT(config_of("password: [a, b]").passwords, ElementsAre("a", "b"));
  EXPECT_THAT(config_of("password: ''").passwords, IsEmpty());
  EXPECT_THAT(config_of("cluster: {secret: [new, old]}").cluster.secrets,
              ElementsAre("new", "old"));
  EXPECT_THAT(problems_of("password: [a, '']"),
              ElementsAre("f.yaml:1:11: password: an empty text in a list is a mistake"));
  EXPECT_THAT(problems_of("password: []"), ElementsAre(HasSubstr("a list has 1 to 8 texts")));
  EXPECT_THAT(problems_of("password: [[a]]"),
              ElementsAre("f.yaml:1:11: password: expected text, found a list"));
}

TEST(ConfigSecrets, AnOpenPeerPortNeedsOne) {
  const auto asks = [](std::string_view text, const Overrides& overrides = {}) {
    const std::vector<std::string> problems = problems_of(text, overrides);
    return problems.size() == 1 &&
           problems[0].find("cluster.secret is missing") != problems[0].npos;
  };
  EXPECT_TRUE(asks("listen: {peer: 0.0.0.0:7379}"));
  EXPECT_TRUE(asks("listen: {peer: 10.0.0.1:7379}"));
  EXPECT_TRUE(asks("listen: {peer: '[::]:7379'}"));
  EXPECT_TRUE(asks("listen: {peer: a.example:7379}"));
  EXPECT_TRUE(asks("listen: {peer: 127.example:7379}"));
  EXPECT_TRUE(asks("cluster: {members: [{name: a, peer: '10.0.0.1:7379'}]}"));
  // Of which nobody knows yet which member it is.
  EXPECT_TRUE(asks("cluster: {members: [{name: a, peer: 'a:7379'}, {name: b, peer: 'b:7379'}]}"));
  Overrides overrides;
  overrides.peer = "0.0.0.0:7379";
  EXPECT_TRUE(asks("", overrides));
  EXPECT_TRUE(asks("peer: {insecure: false}\nlisten: {peer: 0.0.0.0:7379}"));

  for (const char* const fine :
       {"", "listen: {peer: 127.0.0.2:7379}", "listen: {peer: '[::1]:7379'}",
        "listen: {peer: localhost:7379}", "listen: {peer: 0.0.0.0:1}\ncluster: {secret: s}",
        "listen: {peer: 0.0.0.0:1}\ncluster: {secret: [s, t]}",
        "listen: {peer: 0.0.0.0:1}\npeer: {insecure: true}"}) {
    EXPECT_THAT(problems_of(fine), IsEmpty()) << fine;
  }
}

TEST(ConfigView, EveryNodeOfOneFileSeesTheSameCluster) {
  const auto a = make_view(config_of(kThree, named("a")));
  const auto b = make_view(config_of(kThree, named("b")));
  EXPECT_EQ(a.cluster_id, b.cluster_id);
  EXPECT_EQ(a.hash(), b.hash());
  EXPECT_EQ(a.cluster_name, "demo");
  EXPECT_EQ(a.members[b.self].name, "b");
  EXPECT_EQ(b.members[b.self].redis.to_text(), "127.0.0.1:6380");
  EXPECT_EQ(a.members[a.self].redis.to_text(), "127.0.0.1:6379");
  EXPECT_EQ(a.members[b.self].rack, "r2");
  EXPECT_EQ(a.ring.partitions(), 256U);
}

}  // namespace
}  // namespace kvorum::server
