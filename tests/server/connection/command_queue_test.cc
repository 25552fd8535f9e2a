// SPDX-License-Identifier: Apache-2.0
#include "server/connection/command_queue.h"

#include <gmock/gmock.h>

#include "server/commands/command_table.h"

namespace kvorum::server {
namespace {

using ::testing::ElementsAre;

TEST(CommandQueue, KeepsCommandsWithTheirWords) {
  CommandQueue queue;
  const CommandRow& row = *find_command("set");
  const KeyRef known{"k", {7, 8}, 0};
  const std::string_view first[] = {"SET", "k", "v"};
  const std::string_view second[] = {"SET", "", "w"};
  ASSERT_TRUE(queue.add(row, first, &known));
  ASSERT_TRUE(queue.add(row, second, nullptr));
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(&queue.row(1), &row);
  EXPECT_EQ(queue.position(0).high, 7u);
  EXPECT_FALSE(queue.all_keys_known());
  std::vector<std::string_view> words;
  queue.words(1, words);
  EXPECT_THAT(words, ElementsAre("SET", "", "w"));
  queue.words(0, words);
  EXPECT_THAT(words, ElementsAre("SET", "k", "v"));
  EXPECT_TRUE(queue.owns(words[1]));
  EXPECT_FALSE(queue.owns(first[1]));
  queue.clear();
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(queue.held_bytes(), 0u);
  EXPECT_TRUE(queue.all_keys_known());
}

TEST(CommandQueue, IsBounded) {
  CommandQueue queue;
  const CommandRow& row = *find_command("set");
  const std::string large(CommandQueue::kBytesMax / 3, 'x');
  const std::string_view words[] = {"SET", "k", large};
  EXPECT_TRUE(queue.add(row, words, nullptr));
  EXPECT_TRUE(queue.add(row, words, nullptr));
  EXPECT_FALSE(queue.add(row, words, nullptr));
  EXPECT_EQ(queue.size(), 2u) << "what is refused is not kept";
}

}  // namespace
}  // namespace kvorum::server
