// SPDX-License-Identifier: Apache-2.0
#include "server/transaction/edit_batch.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace kvorum::server {
namespace {

using cluster::Completion;
using cluster::Object;
using cluster::Outcome;
using cluster::Version;
using Verdict = EditOutput::Verdict;

constexpr uint64_t kNow = 1'000'000;

struct EditBatchTest : ::testing::Test {
  void add_version(std::string_view bytes, uint64_t deadline_ms = 0) {
    Version version;
    version.bytes = bytes;
    version.deadline_ms = deadline_ms;
    version.flags = 7;
    object.versions.push_back(version);
  }
  EditOutput run(std::string_view argument, uint64_t value_bytes_max = 1024) {
    const KeyRef key{"k", {}, 0};
    return edit_batch({key, object, object.versions, kNow, 0, false, argument, {}, value_bytes_max},
                      scratch);
  }
  EditOutput run() { return run(batch.bytes()); }
  void append(std::string_view value) { batch.edit(kEditAppend, {}, value); }
  void remove() { batch.edit(kEditRemove, {}, {}); }

  Object object;
  BatchArgument batch;
  std::string scratch;
};

TEST_F(EditBatchTest, EachStepSeesWhatTheOneBeforeLeft) {
  add_version("a");
  append("b");
  batch.read();
  append("c");
  const EditOutput output = run();
  EXPECT_EQ(output.verdict, Verdict::kStore);
  EXPECT_EQ(output.bytes, "abc");
  EXPECT_EQ(output.flags, 7u) << "as APPEND leaves them";
  BatchReplies replies(output.reply_bytes);
  Completion own;
  ASSERT_TRUE(replies.next({}, &own));
  EXPECT_EQ(own.reply_number, 2);
  ASSERT_TRUE(replies.next({}, &own));
  ASSERT_NE(own.object, nullptr);
  ASSERT_EQ(own.object->versions.size(), 1u);
  EXPECT_EQ(own.object->versions[0].bytes, "ab");
  ASSERT_TRUE(replies.next({}, &own));
  EXPECT_EQ(own.reply_number, 3);
  EXPECT_FALSE(replies.next({}, &own)) << "there is no more";
}

TEST_F(EditBatchTest, ReadsAloneKeepWhatIsThere) {
  add_version("a");
  batch.read();
  EXPECT_EQ(run().verdict, Verdict::kKeep);
}

TEST_F(EditBatchTest, WhatWasRemovedLastIsNotThere) {
  add_version("a");
  append("b");
  remove();
  batch.read();
  const EditOutput output = run();
  EXPECT_EQ(output.verdict, Verdict::kStore);
  EXPECT_EQ(output.type, cluster::TypeTag::kTombstone);
  BatchReplies replies(output.reply_bytes);
  Completion own;
  ASSERT_TRUE(replies.next({}, &own) && replies.next({}, &own) && replies.next({}, &own));
  EXPECT_TRUE(own.object->versions.empty());
}

TEST_F(EditBatchTest, ARejectedStepLeavesTheOthers) {
  add_version("a");
  std::string one;
  put_u64(one, 1);
  batch.edit(kEditIncrement, one, {});
  append("b");
  const EditOutput output = run();
  EXPECT_EQ(output.bytes, "ab");
  BatchReplies replies(output.reply_bytes);
  Completion own;
  ASSERT_TRUE(replies.next({}, &own));
  EXPECT_EQ(own.outcome, Outcome::kRejected);
  EXPECT_EQ(own.text, "ERR value is not an integer or out of range");
}

TEST_F(EditBatchTest, SiblingsAreReadAndRefuseEdits) {
  add_version("a");
  add_version("b");
  batch.read();
  append("c");
  const EditOutput output = run();
  EXPECT_EQ(output.verdict, Verdict::kKeep);
  BatchReplies replies(output.reply_bytes);
  Completion own;
  ASSERT_TRUE(replies.next({}, &own));
  EXPECT_EQ(own.object->versions.size(), 2u);
  ASSERT_TRUE(replies.next({}, &own));
  EXPECT_TRUE(own.text.starts_with("CONFLICT 2 siblings")) << own.text;
}

TEST_F(EditBatchTest, OfTheBytesThatLayThereOnlyAsLongAsNoEditChangedThem) {
  add_version("a");
  std::string deadline;
  put_varint(deadline, kNow + 10);
  batch.edit(kEditGetExpire, deadline, {});
  EXPECT_TRUE(run().keep_origin);
  append("b");
  EXPECT_FALSE(run().keep_origin);
}

TEST_F(EditBatchTest, RepliesAreBounded) {
  const std::string large(600'000, 'x');
  add_version(large);
  for (int i = 0; i < 10; ++i) batch.read();
  const EditOutput output = run();
  EXPECT_LE(output.reply_bytes.size(), 1'100'000u);
  BatchReplies replies(output.reply_bytes);
  Completion own;
  ASSERT_TRUE(replies.next({}, &own));
  EXPECT_EQ(own.outcome, Outcome::kOk);
  ASSERT_TRUE(replies.next({}, &own));
  EXPECT_EQ(own.outcome, Outcome::kRejected);
}

// Each copies the value, with the partition locked.
TEST_F(EditBatchTest, ALargeValueIsNotChangedForEver) {
  const std::string large(64 << 20, 'x');
  add_version(large);
  for (int i = 0; i < 1000; ++i) append("y");
  const EditOutput output = run(batch.bytes(), 128 << 20);
  EXPECT_GT(output.bytes.size(), large.size());
  EXPECT_LT(output.bytes.size(), large.size() + 20);
  BatchReplies replies(output.reply_bytes);
  Completion own;
  int rejected = 0;
  while (replies.next({}, &own)) rejected += own.outcome == Outcome::kRejected;
  EXPECT_GT(rejected, 980);
}

TEST_F(EditBatchTest, AWatchedKeyGivesWayOnceItWasWritten) {
  add_version("a", kNow + 10);
  object.vector.raise({1, 2, Hlc{3}}, Hlc{4});
  const uint64_t digest = watch_digest(object, kNow);
  EXPECT_EQ(watch_digest(object, kNow), digest);
  EXPECT_NE(watch_digest(object, kNow + 10), digest) << "its time has come";
  EXPECT_EQ(watch_digest(object, kNow + 10), watch_digest(Object{}, kNow));
  batch.watch(digest);
  append("b");
  EXPECT_EQ(run().verdict, Verdict::kStore);
  object.vector.raise({1, 2, Hlc{3}}, Hlc{5});
  const EditOutput output = run();
  EXPECT_EQ(output.verdict, Verdict::kKeep);
  EXPECT_EQ(output.reply_code, kBatchGaveWay);
}

// It comes from a peer.
TEST_F(EditBatchTest, DamageIsRejectedOrHarmless) {
  add_version("a");
  batch.watch(watch_digest(object, kNow));
  append("b");
  batch.read();
  const std::string whole = batch.bytes();
  Rng rng(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = whole.substr(0, rng.below(whole.size() + 1));
    if (!damaged.empty()) damaged[rng.below(damaged.size())] = static_cast<char>(rng.below(256));
    const EditOutput output = run(damaged);
    BatchReplies replies(output.reply_bytes);
    Completion own;
    while (replies.next({}, &own)) continue;
  }
}

}  // namespace
}  // namespace kvorum::server
