// SPDX-License-Identifier: Apache-2.0
#include "server/connection/outcome_reply.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

using cluster::Outcome;

std::string resp(const FailedOperation& failure) {
  std::string out;
  protocol::write_resp(failure_reply(failure, Dialect::kResp), protocol::RespVersion::k2, out);
  return out;
}

std::string memcached(const FailedOperation& failure) {
  std::string out;
  protocol::write_memcached(failure_reply(failure, Dialect::kMemcached), out);
  return out;
}

TEST(OutcomeReply, NamesWhatHappened) {
  EXPECT_EQ(resp({Outcome::kNoQuorum, "", 1, 2, true}), "-NOQUORUM 1 of 2 replicas answered\r\n");
  EXPECT_EQ(resp({Outcome::kNoQuorum, "b is down", 1, 2, false}),
            "-NOQUORUM 1 of 2 replicas can be reached, nothing was written: b is down\r\n");
  EXPECT_EQ(resp({Outcome::kUncertain, "", 1, 2}),
            "-UNCERTAIN 1 of 2 replicas acknowledged; the write may appear later\r\n");
  EXPECT_EQ(
      resp({Outcome::kUncertain, ""}),
      "-UNCERTAIN the node that was to coordinate the write did not report in time; the write "
      "may appear later\r\n");
  EXPECT_EQ(resp({Outcome::kNoQuorum, "", 0, 0, true}),
            "-NOQUORUM no node that holds the key answered in time\r\n");
  EXPECT_EQ(resp({Outcome::kNotOwner, ""}), "-NOTOWNER this node is no primary of the key\r\n");
  EXPECT_EQ(resp({Outcome::kOutOfMemory, ""}),
            "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
  EXPECT_TRUE(resp({Outcome::kStoreFailed, "no space"}).starts_with("-MISCONF "));
  EXPECT_TRUE(resp({Outcome::kTooManySiblings, ""}).starts_with("-TOOMANYSIBLINGS "));
  EXPECT_TRUE(resp({Outcome::kClusterDown, ""}).starts_with("-CLUSTERDOWN "));
  EXPECT_EQ(resp({Outcome::kRejected, "ERR value is not an integer or out of range"}),
            "-ERR value is not an integer or out of range\r\n");
}

TEST(OutcomeReply, SpeaksMemcached) {
  EXPECT_EQ(memcached({Outcome::kNoQuorum, "", 1, 2, true}),
            "SERVER_ERROR noquorum 1 of 2 replicas answered\r\n");
  EXPECT_EQ(memcached({Outcome::kOutOfMemory, ""}),
            "SERVER_ERROR out of memory storing object\r\n");
  EXPECT_EQ(memcached({Outcome::kRejected, "CLIENT_ERROR no number"}),
            "CLIENT_ERROR no number\r\n");
  EXPECT_EQ(memcached({Outcome::kRejected, "CONFLICT 2 siblings"}),
            "SERVER_ERROR conflict 2 siblings\r\n");
}

}  // namespace
}  // namespace kvorum::server
