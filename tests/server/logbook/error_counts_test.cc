// SPDX-License-Identifier: Apache-2.0
#include "server/logbook/error_counts.h"

#include <gmock/gmock.h>

namespace kvorum::server {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::SizeIs;

TEST(ErrorCounts, GoByTheFirstWord) {
  ErrorCounts counts;
  counts.note("ERR syntax error");
  counts.note("-ERR no such key\r\n");
  counts.note("-NOSCRIPT\r\n");
  counts.note("");
  counts.note(" ");
  EXPECT_THAT(counts.all(), ElementsAre(Pair("ERR", 2u), Pair("NOSCRIPT", 1u)));
  counts.reset();
  EXPECT_THAT(counts.all(), SizeIs(0));
}

TEST(ErrorCounts, AreBounded) {
  ErrorCounts counts;
  for (size_t code = 0; code <= ErrorCounts::kCodesMax; ++code) {
    counts.note("E" + std::to_string(code));
  }
  counts.note("E0 again");
  counts.note(std::string(ErrorCounts::kCodeBytesMax + 1, 'x'));
  EXPECT_THAT(counts.all(), SizeIs(ErrorCounts::kCodesMax));
  EXPECT_EQ(counts.all()["E0"], 2u);
}

}  // namespace
}  // namespace kvorum::server
