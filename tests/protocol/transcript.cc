// SPDX-License-Identifier: Apache-2.0
#include "tests/protocol/transcript.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

namespace kvorum::protocol {
namespace {

// The unconsumed bytes, moved to a new place for every look.
class Buffer {
 public:
  void add(std::string_view piece) { move(bytes().size() + piece.size(), piece); }
  void drop(size_t size) {
    ASSERT_LE(size, size_);
    const std::string rest(bytes().substr(size));
    size_ = 0;
    move(rest.size(), rest);
  }
  void relocate() { move(size_, {}); }
  std::string_view bytes() const { return {memory_.get(), size_}; }

 private:
  void move(size_t size, std::string_view added) {
    auto grown = std::make_unique<char[]>(size);
    std::copy_n(memory_.get(), size_, grown.get());
    std::copy(added.begin(), added.end(), grown.get() + size_);
    memory_ = std::move(grown);
    size_ = size;
  }

  std::unique_ptr<char[]> memory_;
  size_t size_ = 0;
};

std::string joined(std::span<const std::string_view> words, char separator) {
  std::string text;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text.push_back(separator);
    text.append(words[i]);
  }
  return text;
}

std::string shown(const MemcachedRequest& request) {
  if (!request.error.empty()) {
    return (request.noreply ? "silent: " : "line: ") + std::string(request.error);
  }
  std::string text(request.words[0]);
  if (request.key_count > 0) text += " k=" + joined(request.keys(), ',');
  text += " f=" + std::to_string(request.flags) + " e=" + std::to_string(request.exptime) +
          " c=" + std::to_string(request.cas) + " d=" + std::to_string(request.delta);
  if (request.noreply) text += " noreply";
  if (request.value.data() != nullptr) text.append(" v=").append(request.value);
  return text;
}

// Calls `parse` on the growing buffer until all pieces are used up or the stream has ended.
template <class Parse>
Lines run(const Pieces& pieces, Lines& lines, const Parse& parse) {
  Buffer buffer;
  for (const std::string_view piece : pieces) {
    buffer.add(piece);
    while (true) {
      buffer.relocate();
      const ParseResult result = parse(buffer.bytes());
      if (result.status == ParseStatus::kError) {
        lines.push_back("error: " + std::string(result.error));
        return lines;
      }
      buffer.drop(result.consumed);
      if (result.status == ParseStatus::kNeedMore) {
        EXPECT_GT(result.more_hint, 0u);
        break;
      }
      EXPECT_GT(result.consumed, 0u);
    }
  }
  if (!buffer.bytes().empty()) lines.push_back("rest: " + std::to_string(buffer.bytes().size()));
  return lines;
}

}  // namespace

Lines resp_transcript(RespParser& parser, const Pieces& pieces) {
  Lines lines;
  return run(pieces, lines, [&](std::string_view input) {
    std::vector<std::string_view> words = {"before"};
    const ParseResult result = parser.parse(input, words);
    EXPECT_EQ(words[0], "before");
    if (result.status == ParseStatus::kRequest) {
      EXPECT_GT(words.size(), 1u);
      lines.push_back("request: " + joined(std::span(words).subspan(1), '|'));
    } else {
      EXPECT_EQ(words.size(), 1u);
    }
    parser.reset_arena();
    return result;
  });
}

Lines memcached_transcript(MemcachedParser& parser, const Pieces& pieces) {
  Lines lines;
  MemcachedRequest request;
  return run(pieces, lines, [&](std::string_view input) {
    const ParseResult result = parser.parse(input, request);
    if (result.status == ParseStatus::kRequest) lines.push_back(shown(request));
    return result;
  });
}

Pieces cut(std::string_view bytes, size_t size) {
  Pieces pieces;
  for (size_t at = 0; at < bytes.size(); at += size) pieces.push_back(bytes.substr(at, size));
  return pieces;
}

}  // namespace kvorum::protocol
