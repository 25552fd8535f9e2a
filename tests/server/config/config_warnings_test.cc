// SPDX-License-Identifier: Apache-2.0
#include "server/config/config_warnings.h"

#include <gmock/gmock.h>

#include "tests/server/config/config_fixture.h"

namespace kvorum::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::vector<std::string> warnings_of(std::string_view text, const Overrides& overrides = {}) {
  const ConfigReport report = load_config(text, "f.yaml", overrides);
  EXPECT_EQ(report.to_text(), "");
  std::vector<std::string> lines;
  for (const Problem& warning : report.warnings) lines.push_back(warning.to_text());
  return lines;
}

constexpr std::string_view kThree =
    "cluster:\n  members:\n    - {name: a, peer: 127.0.0.1:1}\n"
    "    - {name: b, peer: 127.0.0.1:2}\n    - {name: c, peer: 127.0.0.1:3}\n";

TEST(ConfigWarnings, NoneWithoutAFileAndForWhatIsUsual) {
  EXPECT_THAT(warnings_of(""), IsEmpty());
  EXPECT_THAT(warnings_of(kThree), IsEmpty());
  EXPECT_THAT(warnings_of(std::string(kThree) + "keyspaces: {default: {n: 3, r: 2, w: 2}}"),
              IsEmpty());
}

TEST(ConfigWarnings, AreMarkedAsSuch) {
  const ConfigReport report = load_config("cluster: {secret: short}", "f.yaml");
  EXPECT_TRUE(report.ok());
  EXPECT_THAT(report.warnings_text(), StartsWith("f.yaml:1:19: warning: cluster.secret: 5 bytes"));
}

TEST(ConfigWarnings, ShortSecrets) {
  EXPECT_THAT(warnings_of("cluster: {secret: [0123456789abcdef, 0123456789abcde]}"),
              ElementsAre(StartsWith("f.yaml:1:38: cluster.secret: 15 bytes can be guessed")));
  EXPECT_THAT(warnings_of("cluster: {secret: 0123456789abcdef}"), IsEmpty());
}

TEST(ConfigWarnings, NoPasswordWhileOthersReachAListener) {
  EXPECT_THAT(warnings_of("listen: {redis: 0.0.0.0:1, admin: 127.0.0.1:2}"),
              ElementsAre("f.yaml:1:17: password: there is none, and redis (0.0.0.0:1) can be "
                          "reached from other hosts, which are refused (protected mode)"));
  EXPECT_THAT(warnings_of("listen: {memcached: 10.0.0.1:1}"),
              ElementsAre(HasSubstr("memcached (10.0.0.1:1)")));
  EXPECT_THAT(warnings_of("listen: {admin: '[::]:1'}"),
              ElementsAre(HasSubstr("admin ([::]:1) can be reached")));
  EXPECT_THAT(warnings_of("password: p\nlisten: {redis: 0.0.0.0:1}"), IsEmpty());
  Overrides overrides;
  overrides.redis = "0.0.0.0:6379";
  EXPECT_THAT(warnings_of("", overrides), ElementsAre(HasSubstr("redis (0.0.0.0:6379)")));
}

TEST(ConfigWarnings, OfEveryMemberWhereTheFileIsForSeveral) {
  EXPECT_THAT(warnings_of("cluster: {secret: 0123456789abcdef, members: [{name: a, peer: 'a:1', "
                          "redis: 'a:2'}, {name: b, peer: 'b:1', redis: 'b:2'}]}"),
              ElementsAre(HasSubstr("redis (a:2)")));
}

TEST(ConfigWarnings, MoreCopiesThanMembers) {
  EXPECT_THAT(warnings_of(std::string(kThree) + "keyspaces: {default: {n: 5, r: 3, w: 3}}"),
              ElementsAre("f.yaml:6:26: keyspaces.default.n: 5 copies, and there are 3 members; "
                          "there are as many copies as members"));
}

TEST(ConfigWarnings, QuorumsThatDoNotMeet) {
  EXPECT_THAT(warnings_of(std::string(kThree) +
                          "keyspaces:\n  default: {r: 1}\n  x: {db: 3, n: 2, r: 1, w: 1}\n"
                          "  y: {db: 4, r: 2}\n  z: {db: 5, conflicts: lww}\n"),
              ElementsAre(HasSubstr("f.yaml:7:12: keyspaces.default: r 1 and w 2 of n 3"),
                          HasSubstr("f.yaml:8:6: keyspaces.x: r 1 and w 1 of n 2")));
}

TEST(ConfigWarnings, VariablesThatNobodyPutsIn) {
  EXPECT_THAT(
      warnings_of("password: ${PASSWORD}\ncluster: {secret: [0123456789abcdef, "
                  "'${KVORUM_SECRET_OF_THE_CLUSTER}']}\nnode: {name: a, data: '/var/$x/{y}'}\n"),
      ElementsAre("f.yaml:1:11: password: `${...}` is taken literally: nothing is put in its place",
                  "f.yaml:2:38: cluster.secret[1]: `${...}` is taken literally: nothing is put in "
                  "its place"));
}

TEST(ConfigWarnings, PeersAtNoAddress) {
  EXPECT_THAT(warnings_of("cluster: {secret: 0123456789abcdef, members: [{name: a, peer: "
                          "'0.0.0.0:1'}, {name: b, peer: 'b:1'}]}"),
              ElementsAre(StartsWith("f.yaml:1:63: cluster.members[0].peer: 0.0.0.0 is where")));
}

}  // namespace
}  // namespace kvorum::server
