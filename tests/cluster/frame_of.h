// SPDX-License-Identifier: Apache-2.0
// What a test reads of the frames that it, or a node, put into a batch. The frame's bytes are the
// batch's.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "cluster/wire/forward_messages.h"
#include "cluster/wire/replica_messages.h"

namespace kvorum::cluster {

// The only frame of a batch.
inline Frame frame_of(const std::string& batch) {
  Frame frame{};
  size_t size = 0;
  EXPECT_EQ(parse_frame(batch, &frame, &size), FrameStatus::kFrame);
  EXPECT_EQ(size, batch.size());
  return frame;
}

}  // namespace kvorum::cluster
