// SPDX-License-Identifier: Apache-2.0
#include "cluster/frontier/whole_replicas.h"

#include <gtest/gtest.h>

namespace kvorum::cluster {
namespace {

TEST(WholeReplicas, AllOrNoneAtFirst) {
  const WholeReplicas intact(4, true);
  EXPECT_EQ(intact.missing(), 0u);
  EXPECT_TRUE(intact.is_whole(15, 15));
  const WholeReplicas forgetful(4, false);
  EXPECT_EQ(forgetful.missing(), 16u * 16u);
  EXPECT_FALSE(forgetful.is_whole(0, 0));
}

TEST(WholeReplicas, EachIsCountedOnce) {
  WholeReplicas replicas(4, false);
  replicas.set(1, 2, true);
  replicas.set(1, 2, true);
  EXPECT_TRUE(replicas.is_whole(1, 2));
  EXPECT_FALSE(replicas.is_whole(2, 1));
  EXPECT_EQ(replicas.missing(), 255u);
  replicas.set(1, 2, false);
  replicas.set(1, 2, false);
  EXPECT_FALSE(replicas.is_whole(1, 2));
  EXPECT_EQ(replicas.missing(), 256u);
}

TEST(WholeReplicas, ANewCopyIsNotWholeAndSaysSo) {
  WholeReplicas replicas(4, true);
  replicas.note_new(0, 1);
  replicas.note_new(0, 1);
  EXPECT_FALSE(replicas.is_whole(0, 1));
  EXPECT_TRUE(replicas.is_new(0, 1));
  EXPECT_FALSE(replicas.is_new(0, 2));
  EXPECT_EQ(replicas.missing(), 1u);
  replicas.set(0, 1, true);
  EXPECT_TRUE(replicas.is_whole(0, 1));
  EXPECT_EQ(replicas.missing(), 0u);
}

TEST(WholeReplicas, ACopyThatForgotIsNoNewOne) {
  WholeReplicas replicas(4, true);
  replicas.set(0, 1, false);
  replicas.note_new(0, 1);
  EXPECT_FALSE(replicas.is_new(0, 1));
  replicas.note_new(0, 2);
  replicas.set(0, 2, false);
  EXPECT_FALSE(replicas.is_new(0, 2));
  EXPECT_EQ(replicas.missing(), 2u);
  replicas.note_damage(0, 3);
  replicas.note_new(0, 3);
  EXPECT_FALSE(replicas.is_new(0, 3));
  EXPECT_EQ(replicas.damaged(), 1u);
}

}  // namespace
}  // namespace kvorum::cluster
