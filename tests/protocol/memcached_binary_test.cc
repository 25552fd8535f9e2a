// SPDX-License-Identifier: Apache-2.0
#include "protocol/memcached_binary.h"

#include <gtest/gtest.h>

namespace kvorum::protocol {
namespace {

using namespace std::string_literals;

TEST(MemcachedBinary, IsRefusedInItsOwnWords) {
  const std::string get =
      "\x80\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x03\xde\xad\xbe\xef"s + std::string(8, '\0');
  EXPECT_EQ(refuse_memcached_binary(get + "key"),
            "\x81\x00\x00\x00\x00\x00\x00\x81\x00\x00\x00\x0f\xde\xad\xbe\xef"s +
                std::string(8, '\0') + "Unknown command");
}

TEST(MemcachedBinary, APartOfAHeaderIsEnough) {
  const std::string answer = refuse_memcached_binary("\x80\x0b");
  EXPECT_EQ(answer.size(), 24u + 15u);
  EXPECT_EQ(answer.substr(0, 2), "\x81\x0b");
  EXPECT_EQ(answer.substr(12, 4), std::string(4, '\0'));
}

}  // namespace
}  // namespace kvorum::protocol
