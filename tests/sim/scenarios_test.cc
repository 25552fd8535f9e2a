// SPDX-License-Identifier: Apache-2.0
// The named scenarios, and the proof that each can fail: with the rule behind it switched off.
#include "tests/sim/scenarios.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>

namespace kvorum::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct Finished {
  int status = -1;
  std::string output;
};

Finished run_program(const std::string& command) {
  Finished finished;
  std::FILE* const pipe = popen((KVORUM_BINARY_FOLDER "/" + command + " 2>&1").c_str(), "r");
  if (!pipe) return finished;
  std::array<char, 4096> buffer;
  while (const size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    finished.output.append(buffer.data(), size);
  }
  const int raw = pclose(pipe);
  finished.status = WIFEXITED(raw) ? WEXITSTATUS(raw) : -1;
  return finished;
}

TEST(Scenarios, AFallbackThatForgetsAKeyAndMintsAgainLosesNothing) {
  EXPECT_THAT(forgetful_fallback(), IsEmpty());
}

TEST(Scenarios, AWipedNodeLosesNothingThatOthersHave) { EXPECT_THAT(wiped_node(), IsEmpty()); }

TEST(Scenarios, AnUnsyncedCrashLosesNothingThatOthersHave) {
  EXPECT_THAT(unsynced_crash(), IsEmpty());
}

TEST(Controls, WithoutANewIncarnationAnUnsyncedCrashLosesAWrite) {
  EXPECT_THAT(unsynced_crash(Planted::kKeepsIncarnation), Not(IsEmpty()));
}

TEST(Controls, WithoutBirthsAForgetfulFallbackLosesAWrite) {
  const Finished finished = run_program("kvorum-sim-without-births --scenarios");
  EXPECT_EQ(finished.status, 1) << finished.output;
  EXPECT_THAT(finished.output, HasSubstr("forgetful fallback: FAILED"));
  EXPECT_THAT(finished.output, HasSubstr("reads [second] instead of [first second]"));
}

TEST(Controls, WithoutBirthsAndIncarnationsAWipedNodeLosesAWrite) {
  const Finished finished = run_program("kvorum-sim-without-births --scenarios --keep-incarnation");
  EXPECT_EQ(finished.status, 1) << finished.output;
  EXPECT_THAT(finished.output, HasSubstr("wiped node: FAILED"));
}

TEST(Controls, APlantedBugThatForgetsTheContextIsCaughtWithinTheSeeds) {
  const Finished finished = run_program("kvorum-sim-forgets-context --seeds 5 --jobs 1");
  EXPECT_EQ(finished.status, 1) << finished.output;
  EXPECT_THAT(finished.output, HasSubstr("was deleted and is back"));
}

}  // namespace
}  // namespace kvorum::sim
