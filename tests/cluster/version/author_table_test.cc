// SPDX-License-Identifier: Apache-2.0
#include "cluster/version/author_table.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace kvorum::cluster {
namespace {

TEST(AuthorTable, AnAuthorKeepsItsIndexAndItsAddress) {
  AuthorTable authors;
  AuthorTable::Index first = 0;
  ASSERT_TRUE(authors.intern(1, 10, &first));
  const Author* address = &authors.at(first);
  AuthorTable::Index index = 0;
  for (uint64_t n = 0; n < 5000; ++n) {
    ASSERT_TRUE(authors.intern(2, n, &index));
    ASSERT_EQ(index, n + 1);
  }
  ASSERT_TRUE(authors.intern(1, 10, &index));
  EXPECT_EQ(index, first);
  EXPECT_EQ(&authors.at(first), address);
  EXPECT_EQ(authors.size(), 5001U);
  ASSERT_TRUE(authors.intern(1, 11, &index));  // another incarnation is another author
  EXPECT_NE(index, first);
}

TEST(AuthorTable, IsFullAtItsLimitAndStillFindsWhatItHas) {
  AuthorTable authors;
  AuthorTable::Index index = 0;
  for (uint32_t n = 0; n < AuthorTable::kAuthorsMax; ++n) {
    ASSERT_TRUE(authors.intern(7, n, &index));
  }
  EXPECT_FALSE(authors.intern(8, 0, &index));
  ASSERT_TRUE(authors.intern(7, 12345, &index));
  EXPECT_EQ(authors.at(index).incarnation, 12345U);
  EXPECT_EQ(authors.size(), AuthorTable::kAuthorsMax);
}

TEST(AuthorTable, RemembersTheHighestHlc) {
  AuthorTable authors;
  AuthorTable::Index index = 0;
  ASSERT_TRUE(authors.intern(1, 1, &index));
  EXPECT_EQ(authors.at(index).highest_hlc.load(), 0U);
  authors.saw(index, Hlc{5});
  authors.saw(index, Hlc{3});
  EXPECT_EQ(authors.at(index).highest_hlc.load(), 5U);
}

TEST(AuthorTable, ThreadsThatInternTheSameAuthorsAgree) {
  constexpr int kThreads = 4;
  constexpr uint32_t kAuthors = 700;  // several chunks
  AuthorTable authors;
  std::vector<std::vector<AuthorTable::Index>> found(kThreads);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&authors, &mine = found[static_cast<size_t>(thread)], thread] {
      for (uint32_t n = 0; n < kAuthors; ++n) {
        const uint32_t author = thread % 2 ? kAuthors - 1 - n : n;
        AuthorTable::Index index = 0;
        ASSERT_TRUE(authors.intern(author, author * 3, &index));
        ASSERT_EQ(authors.at(index).node, author);
        ASSERT_EQ(authors.at(index).incarnation, author * 3);
        authors.saw(index, Hlc{static_cast<uint64_t>(thread) + 1});
        mine.push_back(index);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(authors.size(), kAuthors);
  for (uint32_t n = 0; n < kAuthors; ++n) {
    EXPECT_EQ(found[0][n], found[1][kAuthors - 1 - n]);
    EXPECT_EQ(found[0][n], found[2][n]);
    EXPECT_EQ(authors.at(found[0][n]).highest_hlc.load(), uint64_t{kThreads});
  }
  const std::set<AuthorTable::Index> distinct(found[0].begin(), found[0].end());
  EXPECT_EQ(distinct.size(), kAuthors);
}

}  // namespace
}  // namespace kvorum::cluster
