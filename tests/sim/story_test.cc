// SPDX-License-Identifier: Apache-2.0
// Plays every story in tests/sim/stories, and shows that a story can fail.
#include "tests/sim/story.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/sim/planted.h"

namespace kvorum::sim {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string read_story(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string story(const std::string& name) {
  return read_story(std::filesystem::path(KVORUM_STORIES) / (name + ".txt"));
}

TEST(Stories, EndWell) {
  size_t played = 0;
  for (const auto& entry : std::filesystem::directory_iterator(KVORUM_STORIES)) {
    EXPECT_THAT(play(read_story(entry.path())), IsEmpty()) << entry.path().filename();
    ++played;
  }
  EXPECT_GE(played, 3u);
}

TEST(Stories, SayWhatWentWrong) {
  EXPECT_THAT(play("nodes 3\np0 SET k v\n= 7\n"),
              ElementsAre("line 3: answered [OK] instead of [7]"));
  EXPECT_THAT(play("nodes 3\nfly p0\n"), ElementsAre("line 2: no such step: fly p0"));
  EXPECT_THAT(play(""), Not(IsEmpty()));
}

TEST(Stories, WhereNothingIsBufferedNoDiskMeansNoAnswer) {
  std::string text = story("buffered_crash");
  text.replace(text.find("durable buffered"), 16, "durable interval");
  EXPECT_THAT(play(text), Contains(HasSubstr("instead of [OK]")));
}

TEST(Stories, WithoutBirthsAForgetfulFallbackLosesAWrite) {
  const Planting planting(PlantedBug::kNoBirths);
  EXPECT_THAT(play(story("forgetful_fallback")),
              Contains(HasSubstr("answered [second] instead of [first second]")));
}

TEST(Stories, WithoutANewIncarnationAnUnsyncedCrashLosesAWrite) {
  const Planting planting(PlantedBug::kKeepIncarnation);
  EXPECT_THAT(play(story("unsynced_crash")), Not(IsEmpty()));
}

TEST(Stories, AWipedNodeThatCountsOnLosesAWrite) {
  const Planting planting(PlantedBug::kReuseCounter);
  EXPECT_THAT(play(story("wiped_node")), Contains(HasSubstr("instead of [after before]")));
}

TEST(Stories, EditsThatDoNotWaitForEachOtherLoseTheCount) {
  const Planting planting(PlantedBug::kUnclaimed);
  EXPECT_THAT(play(story("two_coordinators")),
              Contains(HasSubstr("answered [2 2] instead of [3]")));
}

TEST(Stories, ARetryThatRunsUnaskedBringsADeletedKeyBack) {
  const Planting planting(PlantedBug::kRetryUnasked);
  EXPECT_THAT(play(story("twin_after_delete")), Contains(HasSubstr("answered [v] instead of []")));
}

}  // namespace
}  // namespace kvorum::sim
