// SPDX-License-Identifier: Apache-2.0
#include "tests/cluster/put/lone_put_machine.h"

namespace kvorum::cluster::fixtures {
namespace {

// The second write cannot be planned: "whose stragglers are still awaited" (put_machine.cc).
class StragglersOfTheFirstWrite : public LonePutMachine {
 protected:
  StragglersOfTheFirstWrite() {
    set_with_w(2);
    lone.link(1, false);
    lone.link(2, false);
    write_reply(lone.at(1), lone.uncovered(lone.object_of(2, 1, "kept")));
    EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
    write_reply(lone.at(2));  // acknowledged: it has its copy
  }
};

TEST_F(StragglersOfTheFirstWrite, AreHeard) { EXPECT_TRUE(lone.ended(id)); }

TEST_F(StragglersOfTheFirstWrite, GetNoHintForWhatTheyAcknowledged) {
  live_ms(250);
  EXPECT_FALSE(has_hint_for(lone.at(2)));
  EXPECT_EQ(counters().timeouts, 0u);
}

}  // namespace
}  // namespace kvorum::cluster::fixtures
