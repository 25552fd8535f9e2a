// SPDX-License-Identifier: Apache-2.0
#include "base/base64url.h"

#include <gtest/gtest.h>

namespace kvorum {
namespace {

// RFC 4648 section 10, without padding.
TEST(Base64Url, GivesTheTextsOfTheRfc) {
  EXPECT_EQ(base64url_encode(""), "");
  EXPECT_EQ(base64url_encode("f"), "Zg");
  EXPECT_EQ(base64url_encode("fo"), "Zm8");
  EXPECT_EQ(base64url_encode("foo"), "Zm9v");
  EXPECT_EQ(base64url_encode("foob"), "Zm9vYg");
  EXPECT_EQ(base64url_encode("fooba"), "Zm9vYmE");
  EXPECT_EQ(base64url_encode("foobar"), "Zm9vYmFy");
}

TEST(Base64Url, UsesTheAlphabetThatUrlsAllow) {
  EXPECT_EQ(base64url_encode("\xfb\xff\xbf"), "-_-_");
  EXPECT_EQ(base64url_decode("-_-_"), "\xfb\xff\xbf");
}

TEST(Base64Url, AllBytesComeBackAtEveryLength) {
  std::string bytes;
  for (int n = 0; n < 256; ++n) {
    EXPECT_EQ(base64url_decode(base64url_encode(bytes)), bytes);
    bytes.push_back(static_cast<char>(n * 37));
  }
}

TEST(Base64Url, RefusesWhatItWouldNotWrite) {
  EXPECT_EQ(base64url_decode("Z"), std::nullopt);      // an impossible length
  EXPECT_EQ(base64url_decode("Zm9vZ"), std::nullopt);  // likewise
  EXPECT_EQ(base64url_decode("Zh"), std::nullopt);     // bits past the end
  EXPECT_EQ(base64url_decode("Zg=="), std::nullopt);   // padding
  EXPECT_EQ(base64url_decode("Zm+v"), std::nullopt);   // the other alphabet
  EXPECT_EQ(base64url_decode("Zm\xffv"), std::nullopt);
}

}  // namespace
}  // namespace kvorum
