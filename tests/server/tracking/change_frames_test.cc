// SPDX-License-Identifier: Apache-2.0
#include "server/tracking/change_frames.h"

#include <gtest/gtest.h>

#include "cluster/wire/frame.h"

namespace kvorum::server {
namespace {

using cluster::ChangedKeys;
using cluster::Frame;

std::vector<Frame> frames_of(std::string_view batch) {
  std::vector<Frame> frames;
  Frame frame;
  size_t size = 0;
  while (cluster::parse_frame(batch, &frame, &size) == cluster::FrameStatus::kFrame) {
    frames.push_back(frame);
    batch.remove_prefix(size);
  }
  EXPECT_TRUE(batch.empty());
  return frames;
}

TEST(ChangeFramesTest, AQuestionAndItsAnswer) {
  std::string batch;
  put_track_changes(batch, {7, 9, true});
  put_track_changes_reply(batch, {9, true});
  const std::vector<Frame> frames = frames_of(batch);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_TRUE(cluster::may_come_from_dialer(frames[0].head.type));
  EXPECT_TRUE(cluster::may_come_from_dialed(frames[1].head.type));
  TrackChanges asked;
  ASSERT_TRUE(parse_track_changes(frames[0], &asked));
  EXPECT_EQ(asked.node, 7u);
  EXPECT_EQ(asked.number, 9u);
  EXPECT_TRUE(asked.on);
  TrackChangesReply answer;
  ASSERT_TRUE(parse_track_changes_reply(frames[1], &answer));
  EXPECT_EQ(answer.number, 9u);
  EXPECT_TRUE(answer.was_on);
}

TEST(ChangeFramesTest, KeysOfAnyBytes) {
  ChangedKeys changed;
  changed.note("", 1);
  changed.note(std::string_view("a\0\r\n", 4), 2);
  changed.note(std::string(kKeyBytesMax, 'x'), 0);
  std::string batch;
  put_changed_keys(batch, changed);
  const std::vector<Frame> frames = frames_of(batch);
  ASSERT_EQ(frames.size(), 1u);
  ChangedKeys read;
  read.note("old", 3);
  ASSERT_TRUE(parse_changed_keys(frames[0], &read));
  ASSERT_EQ(read.keys.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(read.keys[i].key, changed.keys[i].key);
    EXPECT_EQ(read.keys[i].digest, changed.keys[i].digest);
  }
  EXPECT_FALSE(read.all);
}

TEST(ChangeFramesTest, ManyKeysAreSeveralFramesOfWhichNoneIsLarge) {
  ChangedKeys changed;
  for (int i = 0; i < 20; ++i) changed.note(std::string(kKeyBytesMax - 1, 'x'), 5);
  for (int i = 0; i < 5000; ++i) changed.note(std::to_string(i), 5);
  std::string batch;
  put_changed_keys(batch, changed);
  size_t keys = 0;
  for (const Frame& frame : frames_of(batch)) {
    EXPECT_LT(frame.payload.size() + cluster::kFrameHeadBytes, cluster::kLargeFrameBytes);
    ChangedKeys read;
    ASSERT_TRUE(parse_changed_keys(frame, &read));
    keys += read.keys.size();
  }
  EXPECT_EQ(keys, changed.keys.size());
}

TEST(ChangeFramesTest, AllOfThem) {
  ChangedKeys changed;
  changed.note("k", 1);
  changed.note_all();
  std::string batch;
  put_changed_keys(batch, changed);
  const std::vector<Frame> frames = frames_of(batch);
  ASSERT_EQ(frames.size(), 1u);
  ChangedKeys read;
  ASSERT_TRUE(parse_changed_keys(frames[0], &read));
  EXPECT_TRUE(read.all);
  EXPECT_TRUE(read.keys.empty());
}

TEST(ChangeFramesTest, WhatIsCutOffIsRefused) {
  ChangedKeys changed;
  changed.note("key", 1);
  std::string batch;
  put_changed_keys(batch, changed);
  put_track_changes(batch, {7, 9, true});
  put_track_changes_reply(batch, {9, true});
  for (Frame frame : frames_of(batch)) {
    const std::string whole(frame.payload);
    for (size_t size = 0; size <= whole.size() + 1; ++size) {
      const std::string payload = (whole + "x").substr(0, size);
      frame.payload = payload;
      ChangedKeys keys;
      TrackChanges asked;
      TrackChangesReply answer;
      const bool read = frame.head.type == cluster::MessageType::kChangedKeys
                            ? parse_changed_keys(frame, &keys)
                        : frame.head.type == cluster::MessageType::kTrackChanges
                            ? parse_track_changes(frame, &asked)
                            : parse_track_changes_reply(frame, &answer);
      const bool none = frame.head.type == cluster::MessageType::kChangedKeys && size == 0;
      EXPECT_EQ(read, size == whole.size() || none) << size;
    }
  }
}

}  // namespace
}  // namespace kvorum::server
