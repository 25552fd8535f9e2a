// SPDX-License-Identifier: Apache-2.0
#include "cluster/ring/configuration.h"

#include <gtest/gtest.h>

#include "tests/cluster/test_members.h"

namespace kvorum::cluster {
namespace {

Configuration example() {
  Founding founding;
  founding.members = fixtures::make_members(3, {2, 2});
  founding.keyspaces[2].conflicts = ConflictPolicy::kLww;
  founding.keyspaces[3].sloppy = false;
  return configuration_of(found_view(founding, "n0"));
}

TEST(Configuration, IsTheSameAfterItTravelled) {
  std::string bytes;
  encode_configuration(example(), bytes);
  ByteReader reader(bytes);
  Configuration decoded;
  ASSERT_TRUE(decode_configuration(reader, &decoded));
  EXPECT_TRUE(reader.done());
  EXPECT_EQ(decoded, example());
  for (size_t size = 0; size < bytes.size(); ++size) {
    ByteReader cut(std::string_view(bytes).substr(0, size));
    EXPECT_FALSE(decode_configuration(cut, &decoded)) << size;
  }
}

// Releases that have the first placement alone wrote version 1, and read no other.
TEST(Configuration, AnUnmendedOneIsWrittenAsBefore) {
  Configuration unmended = example();
  unmended.placement = kPlacementUnmended;
  std::string bytes, mended;
  encode_configuration(unmended, bytes);
  encode_configuration(example(), mended);
  EXPECT_EQ(bytes[0], 1);
  EXPECT_EQ(mended, "\x02" + bytes.substr(1) + "\x02");
  ByteReader reader(bytes);
  Configuration decoded;
  ASSERT_TRUE(decode_configuration(reader, &decoded));
  EXPECT_EQ(decoded, unmended);
  EXPECT_EQ(differing_keyspaces(unmended, example()), kAllKeyspaces);
  EXPECT_EQ(describe_difference(example(), unmended, 0), "placement 2");
  for (const char placement : {'\0', '\1', '\3'}) {
    mended.back() = placement;
    ByteReader wrong(mended);
    EXPECT_FALSE(decode_configuration(wrong, &decoded));
  }
}

TEST(Configuration, NamesOfKeyspacesAndAddressesAreNoPartOfIt) {
  Founding founding;
  founding.members = fixtures::make_members(3);
  const Configuration before = configuration_of(found_view(founding, "n0"));
  founding.members[0].peer = {"10.0.0.1", 1};
  founding.keyspaces[1].name = "carts";
  EXPECT_EQ(configuration_of(found_view(founding, "n1")), before);
}

TEST(Configuration, DifferencesAreFoundByKeyspaceAndToldFromEachSide) {
  const Configuration a = example();
  Configuration b = a;
  EXPECT_EQ(differing_keyspaces(a, b), 0);
  b.keyspaces[2].conflicts = ConflictPolicy::kSiblings;
  b.keyspaces[5].n = 1;
  b.keyspaces[5].r = 1;
  EXPECT_EQ(differing_keyspaces(a, b), 1u << 2 | 1u << 5);
  EXPECT_EQ(differing_conflicts(a, b), 1u << 2);
  EXPECT_EQ(describe_difference(a, b, 2), "conflicts lww");
  EXPECT_EQ(describe_difference(b, a, 2), "conflicts siblings");
  EXPECT_EQ(describe_difference(b, a, 5), "n 1, r 1");
  b = a;
  b.members[1].weight = 7;
  b.members[2].rack.clear();
  EXPECT_EQ(differing_keyspaces(a, b), kAllKeyspaces);
  EXPECT_EQ(describe_difference(b, a, 0), "weight of n1 7, rack of n2 none");
}

}  // namespace
}  // namespace kvorum::cluster
