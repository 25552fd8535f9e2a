// SPDX-License-Identifier: Apache-2.0
#include "server/config/shown_value.h"

#include <gmock/gmock.h>

namespace kvorum::server {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

ShownValue sample() {
  ShownValue line = ShownValue::map(true);
  line.add(ShownValue::word("n"), ShownValue::word("3"));
  line.add(ShownValue::text("a b"), ShownValue::list({ShownValue::text("x")}, true));
  ShownValue map = ShownValue::map();
  map.add(ShownValue::word("word"), ShownValue::word("1gb"));
  map.add(ShownValue::word("nothing"), ShownValue());
  map.add(ShownValue::word("list"), ShownValue::list({ShownValue::text("no"), line}));
  return map;
}

TEST(ShownValue, IsYaml) {
  EXPECT_EQ(yaml_text(sample()), R"(word: 1gb
list:
  - "no"
  - {n: 3, "a b": ["x"]})");
  EXPECT_EQ(yaml_text(ShownValue::list({})), "[]");
  EXPECT_EQ(yaml_text(ShownValue::map()), "{}");
}

TEST(ShownValue, IsTakenApartAsFarAsItStandsOnLines) {
  std::map<std::string, std::string> texts;
  add_texts_by_path("top", sample(), &texts);
  EXPECT_THAT(texts,
              ElementsAre(Pair("top.list.0", "\"no\""),
                          Pair("top.list.1", R"({n: 3, "a b": ["x"]})"), Pair("top.word", "1gb")));
}

}  // namespace
}  // namespace kvorum::server
