// SPDX-License-Identifier: Apache-2.0
// The hot path allocates nothing: parsing a request of a warmed-up session, building a plain reply
// and writing it into a buffer with room. Counted by replacing this program's operator new.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "protocol/memcached_parser.h"
#include "protocol/reply.h"
#include "protocol/resp_parser.h"

namespace {
size_t allocations = 0;
}  // namespace

[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace kvorum::protocol {
namespace {

template <class Work>
size_t allocations_of(const Work& work) {
  const size_t before = allocations;
  work();
  return allocations - before;
}

TEST(Allocations, AreCounted) {
  EXPECT_GT(allocations_of([] { Reply::bulk_owned(std::string(100, 'x')); }), 0u);
}

TEST(Allocations, AreNotNeededToParseResp) {
  const std::string input = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\nGET k\r\n";
  RespParser parser;
  std::vector<std::string_view> words;
  const auto parse_all = [&] {
    words.clear();
    const size_t first = parser.parse(input, words).consumed;
    EXPECT_EQ(parser.parse(std::string_view(input).substr(first), words).status,
              ParseStatus::kRequest);
  };
  parse_all();
  EXPECT_EQ(allocations_of(parse_all), 0u);
  EXPECT_EQ(words.size(), 5u);
}

TEST(Allocations, AreNotNeededToGoOnWithARequest) {
  const std::string input = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n";
  RespParser parser;
  std::vector<std::string_view> words;
  const auto parse_in_two = [&] {
    words.clear();
    parser.parse(std::string_view(input).substr(0, 20), words);
    EXPECT_EQ(parser.parse(input, words).status, ParseStatus::kRequest);
  };
  parse_in_two();
  EXPECT_EQ(allocations_of(parse_in_two), 0u);
}

TEST(Allocations, AreNotNeededToParseMemcached) {
  const std::string input = "set k 0 0 5\r\nvalue\r\n";
  MemcachedParser parser;
  MemcachedRequest request;
  const auto parse = [&] { EXPECT_EQ(parser.parse(input, request).status, ParseStatus::kRequest); };
  parse();
  EXPECT_EQ(allocations_of(parse), 0u);
}

TEST(Allocations, AreNotNeededForPlainReplies) {
  const std::string value(1000, 'v');
  std::string out;
  out.reserve(10000);
  EXPECT_EQ(allocations_of([&] {
              write_resp(Reply::ok(), RespVersion::k2, out);
              write_resp(Reply::integer(42), RespVersion::k2, out);
              write_resp(Reply::bulk(value), RespVersion::k2, out);
              write_resp(Reply::nil(), RespVersion::k3, out);
              write_resp(Reply::error("ERR syntax error"), RespVersion::k3, out);
              write_memcached(Reply::line("STORED"), out);
              write_memcached(Reply::value_item("k", 1, value).with_cas(7), out);
            }),
            0u);
}

}  // namespace
}  // namespace kvorum::protocol
