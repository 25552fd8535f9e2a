// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "tests/server/config/config_fixture.h"

namespace kvorum::server {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

TEST(ConfigProblems, AreAllReportedAtOnceInTheOrderOfTheFile) {
  EXPECT_THAT(
      problems_of("node: {name: a}\n"
                  "listen: {redsi: 127.0.0.1:1}\n"
                  "keyspaces: {default: {n: 3, r: 2, w: 5}}\n"),
      ElementsAre("f.yaml:2:10: unknown key 'redsi' in listen; did you mean 'redis'?",
                  "f.yaml:3:38: keyspaces.default.w: 5 is more than n = 3: no write can wait for "
                  "more replicas than there are copies"));
  const ConfigReport report = load_config("x: 1\nlog: {level: loud}\n", "dir/f.yaml");
  EXPECT_FALSE(report.ok());
  EXPECT_EQ(report.to_text(),
            "dir/f.yaml:1:1: unknown key 'x' in the top level; known are node, listen, cluster, "
            "keyspaces, engine, reactors, limits, password, peer, timing, debug, log, admin\n"
            "dir/f.yaml:2:14: log.level: 'loud' is unknown; known are trace, debug, info, warn, "
            "error\n");
}

TEST(ConfigProblems, MisspeltKeysOfEverySectionAreNamed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"nod: {}", "unknown key 'nod' in the top level; did you mean 'node'?"},
      {"node: {nmae: a}", "unknown key 'nmae' in node; did you mean 'name'?"},
      {"node: {dir: a}", "unknown key 'dir' in node; known are name, data, rack, zone, weight"},
      {"cluster: {partition: 1}", "unknown key 'partition' in cluster; did you mean 'partitions'?"},
      {"cluster: {members: [{name: a, peer: '127.0.0.1:1', wieght: 2}]}",
       "unknown key 'wieght' in cluster.members[0]; did you mean 'weight'?"},
      {"keyspaces: {default: {conflict: lww}}",
       "unknown key 'conflict' in keyspaces.default; did you mean 'conflicts'?"},
      {"engine: {memroy: 1gb}", "unknown key 'memroy' in engine; did you mean 'memory'?"},
      {"limits: {request-timeout: 1s}",
       "unknown key 'request-timeout' in limits; did you mean 'request_timeout'?"},
      {"timing: {antientropy: 1s}",
       "unknown key 'antientropy' in timing; did you mean 'anti_entropy'?"},
      {"debug: {clock: 1s}", "unknown key 'clock' in debug; known are clock_offset"},
      {"log: {Format: json}", "unknown key 'Format' in log; did you mean 'format'?"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_THAT(problems_of(text), ElementsAre(HasSubstr(": " + expected))) << text;
  }
}

TEST(ConfigProblems, WrongTypesAreNamed) {
  EXPECT_THAT(
      problems_of("node: a\n"
                  "listen: [1]\n"
                  "engine: {type: [leveldb], sync: {a: b}}\n"
                  "limits: {clients: , request_timeout: [1]}\n"
                  "cluster: {members: {a: 1}, name: [x], secret: {}}\n"
                  "keyspaces: {default: 3}\n"
                  "reactors: []\n"
                  "? [1]\n: 2\n"),
      ElementsAre(
          "f.yaml:1:7: node: expected a mapping, found the text 'a'",
          "f.yaml:2:9: listen: expected a mapping, found a list",
          "f.yaml:3:16: engine.type: expected one of leveldb, memory, found a list",
          "f.yaml:3:33: engine.sync: expected one of always, interval, never, buffered, found a "
          "mapping",
          StartsWith("f.yaml:4:19: limits.clients: expected a number, found nothing"),
          "f.yaml:4:38: limits.request_timeout: expected a duration, found a list",
          "f.yaml:5:20: cluster.members: expected a list, found a mapping",
          "f.yaml:5:34: cluster.name: expected a name, found a list",
          "f.yaml:5:47: cluster.secret: expected text or a list of texts, found a mapping",
          "f.yaml:6:22: keyspaces.default: expected a mapping, found the text '3'",
          "f.yaml:7:11: reactors: expected auto or a number, found a list",
          "f.yaml:8:3: the top level: a key must be a plain word"));
  EXPECT_THAT(problems_of("just words"),
              ElementsAre("f.yaml:1:1: the top level: expected a mapping, found the text 'just "
                          "words'"));
}

TEST(ConfigProblems, EvictionIsForCachesOfLastWrites) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"engine: {eviction: lru}",
       "f.yaml:1:20: engine.eviction: 'lru' is for type memory; with leveldb, memory is a cache of "
       "the disk already: what is not used leaves it, and nothing is lost"},
      {"engine: {type: memory, eviction: volatile-ttl}",
       "f.yaml:1:34: engine.eviction: 'volatile-ttl' takes from keyspaces with conflicts: lww "
       "alone, and "
       "there is none"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_THAT(problems_of(text), ElementsAre(expected)) << text;
  }
  for (const char* const policy :
       {"lru", "lfu", "random", "ttl", "noeviction", "allkeys-lru", "allkeys-lfu", "allkeys-random",
        "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"}) {
    EXPECT_THAT(problems_of("engine: {type: memory, eviction: " + std::string(policy) +
                            "}\nkeyspaces: {cache: {db: 2, conflicts: lww}}\n"),
                IsEmpty())
        << policy;
  }
}

TEST(ConfigProblems, PathsAndModesOfSocketsAreChecked) {
  const std::string path = "/" + std::string(107, 'x');
  EXPECT_THAT(problems_of("listen: {socket_mode: 888}"),
              ElementsAre("f.yaml:1:23: listen.socket_mode: '888' is no mode of a file; write "
                          "octal digits, as in 0770"));
  EXPECT_THAT(problems_of("listen: {redis_socket: " + path + "}"),
              ElementsAre("f.yaml:1:24: listen.redis_socket: '" + path +
                          "' is longer than the 107 bytes that the path of a socket may have"));
}

TEST(ConfigProblems, WrongValuesAreNamed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"node: {name: 'a b'}",
       "node.name: 'a b' is not a name; 1 to 64 letters, digits, '.', '_' and '-' are"},
      {"node: {weight: 0}", "node.weight: 0 is out of range; allowed are 1 to 1000"},
      {"node: {weight: two}", "node.weight: 'two' is not a whole number"},
      {"node: {weight: 1.5}", "node.weight: '1.5' is not a whole number"},
      {"listen: {redis: localhost}",
       "listen.redis: 'localhost': the port is missing; write host:port"},
      {"listen: {peer: 'h:65536'}",
       "listen.peer: 'h:65536': the port must be a number from 1 to 65535"},
      {"cluster: {partitions: 100}",
       "cluster.partitions: 100 is not a power of two; the nearest are 64 and 128"},
      {"cluster: {partitions: 0}", "cluster.partitions: 0 is out of range; allowed are 1 to 16384"},
      {"cluster: {partitions: 32768}",
       "cluster.partitions: 32768 is out of range; allowed are 1 to 16384"},
      {"cluster: {partitioner: md4}", "cluster.partitioner: 'md4' is unknown; did you mean 'md5'?"},
      {"keyspaces: {default: {conflicts: last}}",
       "keyspaces.default.conflicts: 'last' is unknown; known are siblings, lww"},
      {"keyspaces: {default: {sloppy: yes}}",
       "keyspaces.default.sloppy: 'yes' is unknown; known are true, false"},
      {"keyspaces: {default: {writes_when_short: hints}}",
       "keyspaces.default.writes_when_short: 'hints' is unknown; did you mean 'hint'?"},
      {"keyspaces: {default: {reads_when_short: sreve}}",
       "keyspaces.default.reads_when_short: 'sreve' is unknown; did you mean 'serve'?"},
      {"engine: {type: buffered}",
       "engine.type: 'buffered' is not available in this version; use leveldb or memory"},
      {"engine: {type: rocksdb}", "engine.type: 'rocksdb' is unknown; known are leveldb, memory"},
      {"engine: {sync: alwys}", "engine.sync: 'alwys' is unknown; did you mean 'always'?"},
      {"engine: {eviction: lfru}", "engine.eviction: 'lfru' is unknown; did you mean 'lru'?"},
      {"engine: {memory: 3zb}",
       "engine.memory: '3zb' is not a size; write a whole number with b, kb, mb, gb or tb, as in "
       "64mb"},
      {"engine: {memory: 1kb}", "engine.memory: 1kb is out of range; allowed are 1mb to 1024tb"},
      {"engine: {memory: 99999999999gb}", "engine.memory: '99999999999gb' is not a size"},
      {"reactors: many", "reactors: 'many' is neither auto nor a whole number"},
      {"reactors: 0", "reactors: 0 is out of range; allowed are 1 to 256"},
      {"reactors: -1", "reactors: -1 is out of range; allowed are 1 to 256"},
      {"limits: {clients: 99999999999999999999}",
       "limits.clients: 99999999999999999999 is out of range; allowed are 1 to 1000000"},
      {"limits: {request_timeout: 100}",
       "limits.request_timeout: '100' is not a duration; write a whole number with ms, s, m, h or "
       "d, as in 100ms"},
      {"limits: {request_timeout: 0s}",
       "limits.request_timeout: 0s is out of range; allowed are 1ms to 1h"},
      {"limits: {request_timeout: -1s}",
       "limits.request_timeout: -1s is out of range; allowed are 1ms to 1h"},
      {"limits: {value_warn: 1gb}",
       "limits.value_warn: 1gb is out of range; allowed are 1b to 512mb"},
      {"limits: {pipeline_bytes: 1kb}",
       "limits.pipeline_bytes: 1kb is out of range; allowed are 64kb to 16gb"},
      {"limits: {in_flight: 1mb}",
       "limits.in_flight: 1mb is out of range; allowed are 16mb to 1tb"},
      {"limits: {siblings: 0}", "limits.siblings: 0 is out of range; allowed are 1 to 10000"},
      {"limits: {clock_entries_max: 3}",
       "limits.clock_entries_max: 3 is out of range; allowed are 4 to 1000"},
      {"limits: {peer_links: 0}", "limits.peer_links: 0 is out of range; allowed are 1 to 262144"},
      {"limits: {hints: 0b}", "limits.hints: 0b is out of range; allowed are 64kb to 1024tb"},
      {"timing: {gossip: 0s}", "timing.gossip: 0s is out of range; allowed are 1ms to 1d"},
      {"timing: {hints: soon}", "timing.hints: 'soon' is not a duration"},
      {"timing: {read_repair_wait: 2m}",
       "timing.read_repair_wait: 2m is out of range; allowed are 0s to 1m"},
      {"debug: {clock_offset: 31d}",
       "debug.clock_offset: 31d is out of range; allowed are -30d to 30d"},
      {"log: {format: jsno}", "log.format: 'jsno' is unknown; did you mean 'json'?"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_THAT(problems_of(text), ElementsAre(HasSubstr(": " + expected))) << text;
  }
}

TEST(ConfigProblems, MembersAreCheckedAgainstEachOther) {
  EXPECT_THAT(
      problems_of("cluster:\n"
                  "  members:\n"
                  "    - {name: a, peer: 'h:1', redis: 'h:2', data: d}\n"
                  "    - {name: a, peer: 'h:3'}\n"
                  "    - {name: b, peer: 'h:1'}\n"
                  "    - {name: c, peer: 'h:4', admin: 'h:2'}\n"
                  "    - {name: d, peer: 'h:5', data: d}\n"
                  "    - {peer: 'h:6'}\n"
                  "    - {name: f}\n"
                  "    - g\n"),
      ElementsAre("f.yaml:4:14: cluster.members[1].name: 'a' is already the name of another member",
                  "f.yaml:5:23: cluster.members[2].peer: 'h:1' is already cluster.members[0].peer",
                  "f.yaml:6:37: cluster.members[3].admin: 'h:2' is already "
                  "cluster.members[0].redis",
                  "f.yaml:7:36: cluster.members[4].data: 'd' is already cluster.members[0].data",
                  "f.yaml:8:7: cluster.members[5].name is missing: every member needs a name",
                  "f.yaml:9:7: cluster.members[6].peer is missing: every member needs the address "
                  "at which the others reach it",
                  "f.yaml:10:7: cluster.members[7]: expected a mapping, found the text 'g'"));
  // Other hosts may use the same ports, directories and wildcards.
  EXPECT_THAT(problems_of("cluster:\n"
                          "  secret: 0123456789abcdef\n"
                          "  members:\n"
                          "    - {name: a, peer: 'h1:1', redis: '0.0.0.0:2', data: d}\n"
                          "    - {name: b, peer: 'h2:1', redis: '0.0.0.0:2', data: d}\n"),
              IsEmpty());
}

TEST(ConfigProblems, TwoListenersOnOneAddress) {
  EXPECT_THAT(problems_of("listen: {redis: 127.0.0.1:7379}"),
              ElementsAre("f.yaml:1:9: listen: redis and peer would both use 127.0.0.1:7379"));
  EXPECT_THAT(problems_of("cluster: {secret: s,\n"
                          "  members: [{name: a, peer: 'h:1', redis: 'h:2', admin: 'h:2'}]}\n"),
              ElementsAre("f.yaml:2:57: cluster.members[0].admin: 'h:2' is already "
                          "cluster.members[0].redis"));
  Overrides overrides;
  overrides.redis = "127.0.0.1:8379";
  EXPECT_THAT(problems_of("", overrides),
              ElementsAre(HasSubstr("listen: redis and admin would both use 127.0.0.1:8379")));
}

TEST(ConfigProblems, ARepeatedKeyNamesTheFirst) {
  EXPECT_THAT(
      problems_of("node: {name: a}\nlog:\n  level: info\n  level: debug\nnode: {name: b}\n"),
      ElementsAre("f.yaml:4:3: log.level is given twice; the first is in line 3",
                  "f.yaml:5:1: node is given twice; the first is in line 1"));
}

TEST(ConfigProblems, SyntaxErrorsOfYamlHaveTheirPlace) {
  EXPECT_THAT(problems_of("node: {name: a\nlisten: {}\n"),
              ElementsAre(AllOf(StartsWith("f.yaml:"), HasSubstr(": YAML: "))));
  EXPECT_THAT(problems_of("node:\n\tname: a\n"), ElementsAre(StartsWith("f.yaml:2:")));
  EXPECT_THAT(problems_of("a: b: c\n"), ElementsAre("f.yaml:1:5: YAML: illegal map value"));
  EXPECT_THAT(problems_of("node: *nowhere\n"), ElementsAre(StartsWith("f.yaml:1:")));
  EXPECT_THAT(problems_of("log: {level: info}\n---\nlog: {level: info}\n"),
              ElementsAre("f.yaml:2:1: something begins here after the end of the document"));
  EXPECT_THAT(problems_of("log: {level: info}}\n"),
              ElementsAre("f.yaml:1:19: YAML: illegal flow end"));
  EXPECT_THAT(problems_of("{node: {name: a}},\n"),
              ElementsAre("f.yaml:1:18: something begins here after the end of the document"));
  EXPECT_THAT(problems_of("]"), ElementsAre("f.yaml:1:1: YAML: illegal flow end"));
  EXPECT_THAT(problems_of(std::string(100000, '[')), SizeIs(1));
  EXPECT_THAT(problems_of(std::string("\x80\xff\x00{", 4)), Each(StartsWith("f.yaml:1:")));
}

TEST(ConfigKeyspaces, SaysWhatIsWrongWithQuorumsAndDatabases) {
  EXPECT_THAT(
      problems_of("keyspaces:\n"
                  "  default: {n: 3, r: 4, w: 5}\n"),
      ElementsAre("f.yaml:2:22: keyspaces.default.r: 4 is more than n = 3: no read can wait "
                  "for more replicas than there are copies",
                  "f.yaml:2:28: keyspaces.default.w: 5 is more than n = 3: no write can "
                  "wait for more replicas than there are copies"));
  EXPECT_THAT(problems_of("keyspaces:\n  x: {db: 1, n: 1}\n"),
              ElementsAre("f.yaml:2:17: keyspaces.x.n: 1 is less than r = 2, which is inherited",
                          "f.yaml:2:17: keyspaces.x.n: 1 is less than w = 2, which is inherited"));
  EXPECT_THAT(
      problems_of("keyspaces:\n  default: {n: 0, w: 17}\n"),
      ElementsAre("f.yaml:2:16: keyspaces.default.n: 0 is out of range; allowed are 1 to 16",
                  "f.yaml:2:22: keyspaces.default.w: 17 is out of range; allowed are 1 to "
                  "16"));
  EXPECT_THAT(
      problems_of("keyspaces:\n"
                  "  default: {db: 3}\n"
                  "  x: {n: 3}\n"
                  "  y: {db: 0}\n"
                  "  z: {db: 16}\n"
                  "  v: {db: 2}\n"
                  "  w: {db: 2}\n"
                  "  'a b': {db: 4}\n"),
      ElementsAre("f.yaml:2:17: keyspaces.default.db: 3 is out of range; allowed are 0 to 0",
                  "f.yaml:3:6: keyspaces.x: db is missing; give it a database number from 1 to 15",
                  "f.yaml:4:11: keyspaces.y.db: 0 belongs to 'default'; use 1 to 15",
                  "f.yaml:5:11: keyspaces.z.db: 16 is out of range; allowed are 0 to 15",
                  "f.yaml:7:11: keyspaces.w.db: 2 is already that of 'v'",
                  "f.yaml:8:10: keyspaces.a b: a name is 1 to 64 letters, digits, '.', '_' and "
                  "'-'"));
}

TEST(ConfigProblems, NoDamageToAFileEndsTheProcess) {
  const std::string whole =
      "node: {name: a, weight: 1}\n"
      "listen: {redis: '[::1]:1', peer: 'h:2'}\n"
      "cluster:\n  partitions: 16\n  members: &m\n    - {name: a, peer: 'h:2'}\n"
      "    - {name: b, peer: 'h:3', data: \"x\\ty\"}\n"
      "keyspaces: {default: {n: 3, r: 2}, x: {db: 1, conflicts: lww}}\n"
      "engine: {memory: 64mb}\nreactors: auto\ntiming: {gossip: 1s}\n";
  const std::string letters = "{}[]:,&*!|>'\"%#-? \n\ta0\xff";
  Rng rng(20);
  for (int round = 0; round < 3000; ++round) {
    std::string text = whole;
    for (uint64_t damage = rng.between(1, 4); damage > 0; --damage) {
      const size_t place = rng.below(text.size());
      switch (rng.below(3)) {
        case 0:
          text[place] = letters[rng.below(letters.size())];
          break;
        case 1:
          text.erase(place, rng.below(8));
          break;
        case 2:
          text.insert(place, 1, letters[rng.below(letters.size())]);
          break;
      }
    }
    const ConfigReport report = load_config(text, "f.yaml");
    for (const Problem& problem : report.problems) {
      EXPECT_GE(problem.line, 1) << text;
      EXPECT_FALSE(problem.text.empty()) << text;
    }
    if (!report.ok()) continue;
    EXPECT_EQ(make_view(report.config).ring.partitions(), report.config.cluster.partitions);
    if (!report.choices.empty()) continue;
    const std::string shown = show_config(report.config);
    EXPECT_EQ(show_config(config_of(shown)), shown) << text;
  }
}

TEST(ConfigProblems, AliasesAreFollowedEvenToThemselves) {
  EXPECT_EQ(config_of("engine: &e {sync: never}\nlog: {level: &l warn}\n").log.level,
            LogLevel::kWarn);
  EXPECT_THAT(problems_of("cluster: &c {members: [*c]}\n"), Not(IsEmpty()));
}

}  // namespace
}  // namespace kvorum::server
