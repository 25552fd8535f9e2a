// SPDX-License-Identifier: Apache-2.0
#include "server/script/script_library.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

std::shared_ptr<const ScriptBody> script(const std::string& sha, std::string text) {
  auto body = std::make_shared<ScriptBody>();
  body->sha = sha;
  body->text = body->code = std::move(text);
  return body;
}

TEST(ScriptLibrary, KeepsEachOnce) {
  ScriptLibrary library;
  library.add(script("a", "return 1"));
  library.add(script("a", "return 1"));
  EXPECT_EQ(library.count(), 1u);
  EXPECT_EQ(library.get("a")->text, "return 1");
  EXPECT_EQ(library.get("b"), nullptr);
  std::string text;
  EXPECT_TRUE(library.find("a", &text));
  EXPECT_EQ(text, "return 1");
  library.drop_all();
  EXPECT_EQ(library.get("a"), nullptr);
  EXPECT_EQ(library.bytes(), 0u);
}

TEST(ScriptLibrary, ForgetsTheOldestWhereTheyAreTooManyOrTooLarge) {
  ScriptLibrary library;
  for (size_t at = 0; at < ScriptLibrary::kScriptsMax + 5; ++at) {
    library.add(script(std::to_string(at), "x"));
  }
  EXPECT_EQ(library.count(), ScriptLibrary::kScriptsMax);
  EXPECT_EQ(library.get("4"), nullptr);
  EXPECT_NE(library.get("5"), nullptr);
  library.add(script("large", std::string(ScriptLibrary::kBytesMax / 2, 'x')));
  EXPECT_EQ(library.count(), 1u);
  EXPECT_LE(library.bytes(), ScriptLibrary::kBytesMax);
}

}  // namespace
}  // namespace kvorum::server
