// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/cluster/frame_of.h"

namespace kvorum::cluster {
namespace {

TEST(ForwardMessages, TheEnvelopeTellsHopsAndWhetherAnotherWasAsked) {
  for (const bool retried : {false, true}) {
    std::string batch;
    const ForwardEnvelope sent{
        .keyspace = 3, .hops = 2, .retried = retried, .remaining_ms = 750, .sent_us = 1ULL << 40};
    put_forward(batch, 5, sent, "request");
    ForwardEnvelope envelope;
    std::string_view payload;
    ASSERT_TRUE(parse_forward_envelope(frame_of(batch), &envelope, &payload));
    EXPECT_EQ(envelope.keyspace, 3);
    EXPECT_EQ(envelope.hops, 2);
    EXPECT_EQ(envelope.retried, retried);
    EXPECT_EQ(envelope.remaining_ms, 750u);
    EXPECT_EQ(envelope.sent_us, 1ULL << 40);
    EXPECT_EQ(payload, "request");
  }
}

TEST(ForwardMessages, ThePlaceOfTheKeyCanBeSeenFromOutside) {
  Request request;
  request.key = {"key", {1ULL << 60, 7}, 3};
  std::string payload;
  encode_forwarded(request, 9, payload);
  std::string batch;
  put_forward(batch, 5, {.keyspace = 3, .remaining_ms = 750, .sent_us = 1ULL << 40}, payload);
  KeyRef key;
  ASSERT_TRUE(peek_key(frame_of(batch), &key));
  EXPECT_EQ(key.position, request.key.position);
  EXPECT_EQ(key.keyspace, 3);
}

TEST(ForwardMessages, HopsBeyondAllBoundsDoNotPassForARetry) {
  std::string batch;
  put_forward(batch, 5, {.hops = 255}, {});
  ForwardEnvelope envelope;
  std::string_view payload;
  ASSERT_TRUE(parse_forward_envelope(frame_of(batch), &envelope, &payload));
  EXPECT_FALSE(envelope.retried);
}

TEST(ForwardMessages, WhatMayRunTwiceLiesForAQuarterOfItsTime) {
  constexpr EditRow kEdits[] = {{"once only", nullptr, true, false},
                                {"twice", nullptr, true, true}};
  Request request;
  EXPECT_EQ(patience_us({.remaining_ms = 800}, request, kEdits), 200'000u) << "a read";
  request.kind = Request::Kind::kEdit;
  EXPECT_EQ(patience_us({.remaining_ms = 800}, request, kEdits), 800'000u);
  request.edit = 1;
  EXPECT_EQ(patience_us({.remaining_ms = 800}, request, kEdits), 200'000u);
  request.edit = 2;
  EXPECT_EQ(patience_us({.remaining_ms = 800}, request, kEdits), 800'000u) << "nobody knows it";
  EXPECT_EQ(patience_us({.remaining_ms = UINT32_MAX}, request, kEdits), UINT32_MAX * 1000ULL);
}

TEST(ForwardMessages, TheQuestionNamesBothOperations) {
  std::string batch;
  put_forward_ask(batch, 5, 6);
  const Frame frame = frame_of(batch);
  EXPECT_EQ(frame.head.type, MessageType::kForwardAsk);
  EXPECT_EQ(frame.head.operation, 5u);
  SlotId slot = 0;
  ASSERT_TRUE(parse_forward_ask(frame, &slot));
  EXPECT_EQ(slot, 6u);
}

TEST(ForwardMessages, LeaveGoesToTheSlotThatAsked) {
  std::string batch;
  put_forward_permit(batch, 6, 749'000);
  const Frame frame = frame_of(batch);
  EXPECT_EQ(frame.head.type, MessageType::kForwardPermit);
  EXPECT_EQ(frame.head.operation, 6u);
  uint64_t remaining_us = 0;
  ASSERT_TRUE(parse_forward_permit(frame, &remaining_us));
  EXPECT_EQ(remaining_us, 749'000u);
}

TEST(ForwardMessages, QuestionAndLeaveHaveOneLength) {
  const std::string_view bytes("123456789", 9);
  for (size_t size = 0; size <= bytes.size(); ++size) {
    const Frame frame{{MessageType::kForwardAsk}, bytes.substr(0, size)};
    uint64_t number = 0;
    EXPECT_EQ(parse_forward_ask(frame, &number), size == 8);
    EXPECT_EQ(parse_forward_permit(frame, &number), size == 8);
  }
}

}  // namespace
}  // namespace kvorum::cluster
