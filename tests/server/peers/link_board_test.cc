// SPDX-License-Identifier: Apache-2.0
#include "server/peers/link_board.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

TEST(LinkBoard, APeerIsLinkedWhenAllReactorsHaveALinkToIt) {
  LinkBoard board(2);
  EXPECT_FALSE(board.all_linked(1));
  board.note_link(1, true);
  EXPECT_FALSE(board.all_linked(1));
  board.note_link(2, true);
  board.note_link(1, true);
  EXPECT_TRUE(board.all_linked(1));
  EXPECT_FALSE(board.all_linked(2));
  board.note_link(1, false);
  EXPECT_FALSE(board.all_linked(1));
}

}  // namespace
}  // namespace kvorum::server
