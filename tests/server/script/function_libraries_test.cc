// SPDX-License-Identifier: Apache-2.0
#include "server/script/function_libraries.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace kvorum::server {
namespace {

using ::testing::IsEmpty;

FunctionLibrary library(std::string name, std::string function, uint64_t origin = 1) {
  FunctionLibrary made;
  made.name = std::move(name);
  made.text = "#!lua name=" + made.name + "\nreturn 1";
  made.functions.push_back({std::move(function), "", 0});
  made.origin = origin;
  return made;
}

std::string bytes_of(const FunctionLibraries& libraries) {
  std::string bytes;
  libraries.put_all(bytes);
  return bytes;
}

std::string names_of(const FunctionLibraries& libraries) {
  std::string names;
  for (const auto& one : libraries.all()) names += one->name + ' ';
  return names;
}

TEST(FunctionLibraries, AFunctionIsFoundInAnyCaseOfLetters) {
  FunctionLibraries libraries;
  EXPECT_EQ(libraries.digest(), 0u);
  EXPECT_EQ(libraries.add(library("one", "Do_it"), false, 10), "");
  const auto found = libraries.find("dO_IT");
  ASSERT_TRUE(found.library);
  EXPECT_EQ(found.function->name, "Do_it");
  EXPECT_EQ(found.library->code(), "\nreturn 1");
  EXPECT_EQ(found.library->sha.size(), 40u);
  EXPECT_FALSE(libraries.find("other").library);
}

TEST(FunctionLibraries, NamesCollide) {
  FunctionLibraries libraries;
  EXPECT_EQ(libraries.add(library("one", "f"), false, 10), "");
  EXPECT_EQ(libraries.add(library("one", "g"), false, 11), "ERR Library 'one' already exists");
  EXPECT_EQ(libraries.add(library("two", "F"), false, 12), "ERR Function F already exists");
  EXPECT_EQ(libraries.add(library("one", "g"), true, 13), "");
  EXPECT_FALSE(libraries.find("f").library);
  EXPECT_EQ(libraries.add(library("two", "f"), false, 14), "");
  EXPECT_EQ(names_of(libraries), "one two ");
}

TEST(FunctionLibraries, TogetherTheyAreBounded) {
  FunctionLibraries libraries;
  FunctionLibrary large = library("large", "f");
  large.text += std::string(FunctionLibraries::kBytesMax, ' ');
  EXPECT_THAT(libraries.add(std::move(large), false, 1), ::testing::StartsWith("ERR "));
  EXPECT_THAT(libraries.all(), IsEmpty());
}

// Whatever the order in which nodes hear of changes, they end with the same.
TEST(FunctionLibraries, OrdersOfMergingAreEqual) {
  FunctionLibraries a, b, c;
  EXPECT_EQ(a.add(library("one", "f", 1), false, 10), "");
  EXPECT_EQ(b.add(library("one", "g", 2), false, 10), "");  // at the same time: the origin decides
  EXPECT_EQ(b.add(library("two", "h", 2), false, 5), "");
  EXPECT_TRUE(b.remove("two", {2, 4}));  // its clock went back: it wins all the same
  EXPECT_EQ(c.add(library("two", "h", 3), false, 5), "");
  std::vector<std::string> said = {bytes_of(a), bytes_of(b), bytes_of(c)};
  std::sort(said.begin(), said.end());
  std::vector<std::string> outcomes;
  do {
    FunctionLibraries heard;
    for (const std::string& bytes : said) EXPECT_TRUE(heard.merge(bytes));
    EXPECT_EQ(names_of(heard), "one ");
    EXPECT_TRUE(heard.find("g").library);
    EXPECT_FALSE(heard.find("h").library);
    outcomes.push_back(bytes_of(heard));
    EXPECT_NE(heard.digest(), 0u);
  } while (std::next_permutation(said.begin(), said.end()));
  EXPECT_EQ(std::count(outcomes.begin(), outcomes.end(), outcomes[0]), 6);
}

TEST(FunctionLibraries, ARemovalIsKeptAndMayBeUndone) {
  FunctionLibraries one, other;
  EXPECT_EQ(one.add(library("lib", "f"), false, 10), "");
  const std::string before = bytes_of(one);
  EXPECT_FALSE(one.remove("none", {1, 20}));
  EXPECT_TRUE(one.remove("lib", {1, 20}));
  EXPECT_FALSE(one.remove("lib", {1, 21}));
  EXPECT_TRUE(one.merge(before));  // of somebody who was away
  EXPECT_THAT(one.all(), IsEmpty());
  EXPECT_EQ(one.add(library("lib", "f"), false, 15), "");  // after the removal, whatever the clock
  EXPECT_TRUE(other.merge(bytes_of(one)));
  EXPECT_EQ(names_of(other), "lib ");
  EXPECT_EQ(other.digest(), one.digest());
}

TEST(FunctionLibraries, WhatIsMalformedChangesNothing) {
  FunctionLibraries one;
  EXPECT_EQ(one.add(library("lib", "f"), false, 10), "");
  const std::string good = bytes_of(one);
  FunctionLibraries heard;
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(heard.merge(std::string_view(good).substr(0, size))) << size;
  }
  EXPECT_FALSE(heard.merge(good + "x"));
  EXPECT_EQ(heard.generation(), 0u);
  EXPECT_TRUE(heard.merge(good));
  const uint64_t generation = heard.generation();
  EXPECT_TRUE(heard.merge(good));
  EXPECT_EQ(heard.generation(), generation);  // nothing new
}

}  // namespace
}  // namespace kvorum::server
