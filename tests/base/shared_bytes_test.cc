// SPDX-License-Identifier: Apache-2.0
#include "base/shared_bytes.h"

#include <gtest/gtest.h>

#include <cstring>

namespace kvorum {
namespace {

TEST(SharedBytesTest, AShareHoldsWhatItWasMadeOf) {
  MappedMemory memory(2 * kLargeMemoryBytes);
  std::memcpy(memory.data(), "content", 7);
  const std::string_view bytes(memory.data(), 7);
  const SharedBytes mapped = share(std::move(memory), bytes);
  EXPECT_EQ(*mapped, "content");
  EXPECT_EQ(mapped->data(), bytes.data());
  SharedBytes large = share(std::string(2 * kLargeMemoryBytes, 's'));
  const SharedView part{large, large->substr(10, 20)};
  large = nullptr;
  EXPECT_EQ(part.bytes, std::string(20, 's'));
}

TEST(SharedBytesTest, ShareOrCopy) {
  const SharedBytes much = share(std::string(4 * kSharedBytesMin, 'm'));
  const std::string foreign(4 * kSharedBytesMin, 'f');
  EXPECT_TRUE(worth_sharing(*much, &much));
  EXPECT_TRUE(worth_sharing(much->substr(0, 2 * kSharedBytesMin), &much));
  EXPECT_FALSE(worth_sharing(much->substr(0, kSharedBytesMin), &much)) << "it would keep it all";
  EXPECT_FALSE(worth_sharing(foreign, &much)) << "it lies elsewhere";
  EXPECT_FALSE(worth_sharing(*much, nullptr));
  const SharedBytes none;
  EXPECT_FALSE(worth_sharing(*much, &none));
}

}  // namespace
}  // namespace kvorum
