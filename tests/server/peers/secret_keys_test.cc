// SPDX-License-Identifier: Apache-2.0
#include "server/peers/secret_keys.h"

#include <gtest/gtest.h>

#include <cstring>

namespace kvorum::server {
namespace {

std::string hex(const ProofKey& key) {
  std::string text;
  for (const unsigned char byte : key) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

TEST(SecretKeysTest, KeysDifferByPurposeSecretAndCluster) {
  const std::string one[] = {"one"}, other[] = {"other"};
  const SecretKeys keys = make_secret_keys(one, {"demo", 1});
  const SecretKeys others = make_secret_keys(other, {"demo", 1});
  const SecretKeys elsewhere = make_secret_keys(one, {"elsewhere", 1});
  EXPECT_NE(keys.peer, others.peer);
  EXPECT_NE(keys.token, others.token);
  EXPECT_NE(keys.token, elsewhere.token);
  // Nodes of two clusters with one secret can tell each other which of the two differs.
  EXPECT_EQ(keys.peer, elsewhere.peer);
  EXPECT_NE(std::memcmp(keys.peer[0].data(), keys.token[0].data(), sizeof keys.token[0]), 0);
}

// PBKDF2 of 50 000 rounds, as another implementation computes it: a guess costs as much.
TEST(SecretKeysTest, KeysAreStretched) {
  const std::string secrets[] = {"swordfish"};
  EXPECT_EQ(hex(make_secret_keys(secrets, {"demo", 1}).peer[0]),
            "cbec847fcbc8bf6821025e4c5c6d37bfe52af579581b2b33ccd194a10f75ddb1");
}

TEST(SecretKeysTest, SeveralSecretsGiveSeveralKeysInTheirOrder) {
  const std::string both[] = {"new", "old"}, old[] = {"old"};
  const SecretKeys keys = make_secret_keys(both, {"demo", 1});
  ASSERT_EQ(keys.peer.size(), 2u);
  ASSERT_EQ(keys.token.size(), 2u);
  const SecretKeys before = make_secret_keys(old, {"demo", 1});
  EXPECT_EQ(keys.peer[1], before.peer[0]);
  EXPECT_EQ(keys.token[1], before.token[0]);
}

TEST(SecretKeysTest, WithoutASecretTheyComeFromTheCluster) {
  const SecretKeys keys = make_secret_keys({}, {"demo", 1});
  EXPECT_FALSE(keys.has_secret);
  EXPECT_EQ(keys.peer, make_secret_keys({}, {"demo", 1}).peer);
  EXPECT_NE(keys.peer, make_secret_keys({}, {"demo", 2}).peer);
  EXPECT_NE(keys.peer, make_secret_keys({}, {"omed", 1}).peer);
  EXPECT_NE(keys.token, make_secret_keys({}, {"demo", 2}).token);
}

}  // namespace
}  // namespace kvorum::server
