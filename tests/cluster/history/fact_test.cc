// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/fact.h"

#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"
#include "cluster/ring/placement.h"

namespace kvorum::cluster {
namespace {

std::string bytes_of(const Fact& fact) {
  std::string bytes;
  encode_fact(fact, bytes);
  return bytes;
}

bool is_refused(std::string_view bytes) {
  ByteReader reader(bytes);
  Fact fact;
  return !decode_fact(reader, &fact);
}

std::vector<Fact> one_of_each() {
  return {Fact::confirmed(300, 5, 77, {9, 3}), Fact::vote(300, 5, 77), Fact::settled(300, 77),
          Fact::lost(300, 77, {8, 6, 8}), Fact::gone(5)};
}

TEST(Fact, EveryKindComesBack) {
  for (const Fact& fact : one_of_each()) {
    const std::string bytes = bytes_of(fact) + "more";
    ByteReader reader(bytes);
    Fact decoded;
    ASSERT_TRUE(decode_fact(reader, &decoded));
    EXPECT_EQ(reader.rest(), "more");
    EXPECT_EQ(decoded, fact);
    EXPECT_EQ(decoded.hash(), fact.hash());
  }
}

TEST(Fact, ListsAreSortedAndNameNobodyTwice) {
  EXPECT_EQ(Fact::confirmed(1, 5, 77, {9, 3, 9}).from, (std::vector<SetId>{3, 9}));
  EXPECT_EQ(Fact::lost(1, 77, {8, 6, 8}).removed, (std::vector<NodeId>{6, 8}));
}

TEST(Fact, DifferentFactsHaveDifferentHashesAndAnOrder) {
  std::vector<Fact> facts = one_of_each();
  facts.push_back(Fact::confirmed(300, 5, 77, {3}));
  facts.push_back(Fact::vote(301, 5, 77));
  facts.push_back(Fact::vote(300, 6, 77));
  facts.push_back(Fact::vote(300, 5, 78));
  facts.push_back(Fact::lost(300, 77, {8}));
  std::set<uint64_t> hashes;
  for (const Fact& fact : facts) hashes.insert(fact.hash());
  EXPECT_EQ(hashes.size(), facts.size());
  EXPECT_EQ(std::set<Fact>(facts.begin(), facts.end()).size(), facts.size());
}

TEST(Fact, TruncatedBytesAreRefused) {
  for (const Fact& fact : one_of_each()) {
    const std::string bytes = bytes_of(fact);
    for (size_t size = 0; size < bytes.size(); ++size)
      EXPECT_TRUE(is_refused(bytes.substr(0, size)));
  }
}

TEST(Fact, WhatMakesNoSenseIsRefused) {
  EXPECT_TRUE(is_refused(bytes_of(Fact::vote(1, 0, 77))));
  EXPECT_TRUE(is_refused(bytes_of(Fact::vote(1, 5, 0))));
  EXPECT_TRUE(is_refused(bytes_of(Fact::gone(0))));
  EXPECT_TRUE(is_refused(bytes_of(Fact::settled(kPartitionsMax, 77))));
  EXPECT_FALSE(is_refused(bytes_of(Fact::settled(kPartitionsMax - 1, 77))));
  Fact unsorted = Fact::lost(1, 77, {6, 8});
  std::swap(unsorted.removed[0], unsorted.removed[1]);
  EXPECT_TRUE(is_refused(bytes_of(unsorted)));
  std::string none = bytes_of(Fact::lost(1, 77, {8}));
  none.resize(none.size() - sizeof(uint64_t));
  none.back() = 0;  // a list of nobody
  EXPECT_TRUE(is_refused(none));
  for (const char kind : {'\0', '\x06', 'x'}) EXPECT_TRUE(is_refused(std::string(40, kind)));
}

TEST(Fact, RandomBytesNeverCrash) {
  Rng rng(4);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(rng.below(60), '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng.below(rng.chance(0.6) ? 6 : 256));
    ByteReader reader(bytes);
    Fact fact;
    if (!decode_fact(reader, &fact)) continue;
    const std::string encoded = bytes_of(fact);
    EXPECT_FALSE(is_refused(encoded));
  }
}

}  // namespace
}  // namespace kvorum::cluster
