// SPDX-License-Identifier: Apache-2.0
#include "cluster/version/context.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/rng.h"
#include "tests/cluster/reachable_history.h"

namespace kvorum::cluster {
namespace {

constexpr MacKey kKey{0x0123456789abcdef, 0xfedcba9876543210};
constexpr MacKey kKeys[] = {kKey};

bool same_context(const Context& a, const Context& b) {
  return a.vector == b.vector &&
         std::equal(a.detached.begin(), a.detached.end(), b.detached.begin(), b.detached.end());
}

Context sample_context() {
  Context context;
  context.vector.raise({1, 2, Hlc{3}}, Hlc{40});
  context.vector.raise({5, 6, Hlc{7}}, Hlc{80});
  context.detached.push_back({{1, 2, Hlc{3}}, Hlc{50}});
  return context;
}

Token sample_token() { return Token{sample_context(), 77}; }

RC_GTEST_PROP(ContextProperty, ContextsOfReachableObjectsComeBack, ()) {
  fixtures::History history({});
  history.run(fixtures::draw_steps());
  for (const Object& object : fixtures::sample_states(history)) {
    Context context{object.vector, {}};
    for (const Version& version : object.versions) {
      context = context_after_put(context, version.dot);
    }
    std::string bytes;
    encode_context(context, bytes);
    Context decoded;
    RC_ASSERT(decode_context(bytes, decoded));
    RC_ASSERT(same_context(decoded, context));
    const Result<Token> token = decode_token(encode_token({context, 9}, kKey), kKeys);
    RC_ASSERT(token.ok());
    RC_ASSERT(same_context(token.value().context, context));
  }
}

TEST(ContextToken, ComesBackWithTheFastestNode) {
  const Result<Token> token = decode_token(encode_token(sample_token(), kKey), kKeys);
  ASSERT_TRUE(token.ok());
  EXPECT_TRUE(same_context(token.value().context, sample_context()));
  EXPECT_EQ(token.value().fastest_node, 77U);
}

TEST(ContextToken, TheEmptyContextIsTheEmptyText) {
  EXPECT_EQ(encode_token({}, kKey), "");
  const Result<Token> token = decode_token("", kKeys);
  ASSERT_TRUE(token.ok());
  EXPECT_TRUE(token.value().context.empty());
}

TEST(ContextToken, EveryChangedCharacterIsRefused) {
  const std::string text = encode_token(sample_token(), kKey);
  for (size_t at = 0; at < text.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = text;
      if (changed[at] == static_cast<char>(byte)) continue;
      changed[at] = static_cast<char>(byte);
      const Result<Token> token = decode_token(changed, kKeys);
      ASSERT_FALSE(token.ok()) << at << " " << byte;
      ASSERT_EQ(token.status().code(), Code::kInvalid);
    }
  }
}

TEST(ContextToken, EveryMissingDoubledOrSwappedCharacterIsRefused) {
  const std::string text = encode_token(sample_token(), kKey);
  for (size_t at = 0; at < text.size(); ++at) {
    EXPECT_FALSE(decode_token(text.substr(0, at) + text.substr(at + 1), kKeys).ok());
    EXPECT_FALSE(decode_token(text.substr(0, at) + text[at] + text.substr(at), kKeys).ok());
    EXPECT_EQ(decode_token(text.substr(0, at), kKeys).ok(), at == 0);
    std::string swapped = text;
    if (at > 0) std::swap(swapped[at - 1], swapped[at]);
    EXPECT_EQ(decode_token(swapped, kKeys).ok(), swapped == text);
  }
}

TEST(ContextToken, OfAnotherClusterIsRefused) {
  const std::string text = encode_token(sample_token(), kKey);
  const MacKey others[] = {{kKey[0] ^ 1, kKey[1]}, {kKey[0], kKey[1] ^ 1}};
  EXPECT_FALSE(decode_token(text, others).ok());
}

TEST(ContextToken, WhatIsNoTokenIsRefused) {
  for (const char* text : {"A", "AA", "not a token", "AAAAAAAAAAAAAAAA", "====", "\n"}) {
    EXPECT_FALSE(decode_token(text, kKeys).ok()) << text;
  }
  EXPECT_FALSE(decode_token(std::string(1 << 20, 'A'), kKeys).ok());
}

TEST(ContextBytes, EveryTruncationAndEveryLongerFormIsRefused) {
  std::string bytes;
  encode_context(sample_context(), bytes);
  Context decoded;
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_context(bytes.substr(0, size), decoded)) << size;
  }
  EXPECT_FALSE(decode_context(bytes + '\0', decoded));
}

TEST(ContextBytes, RandomBytesNeverCrash) {
  Rng rng(3);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(rng.below(100), '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng.below(rng.chance(0.5) ? 3 : 256));
    Context decoded;
    if (!decode_context(bytes, decoded)) continue;
    EXPECT_LE(decoded.detached.size(), kDetachedDotsMax);
    std::string again;
    encode_context(decoded, again);
    Context twice;
    ASSERT_TRUE(decode_context(again, twice));
    EXPECT_TRUE(same_context(twice, decoded));
  }
}

TEST(ContextAfterPut, AddsTheDotAloneAndForgetsTheOldestBeyondTheLimit) {
  Context context = sample_context();
  const Actor actor{9, 9, Hlc{9}};
  for (uint64_t n = 1; n <= 2 * kDetachedDotsMax; ++n) {
    context = context_after_put(context, {actor, Hlc{100 + n}});
    EXPECT_LE(context.detached.size(), kDetachedDotsMax);
    EXPECT_TRUE(context.covers({actor, Hlc{100 + n}}));
    EXPECT_FALSE(context.covers({actor, Hlc{99 + n + 2}}));
  }
  EXPECT_TRUE(context.vector == sample_context().vector);
  EXPECT_FALSE(context.covers({actor, Hlc{101}}));  // forgotten: at worst a sibling more
}

}  // namespace
}  // namespace kvorum::cluster
