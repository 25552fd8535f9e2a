// SPDX-License-Identifier: Apache-2.0
#include "cluster/version/held_object.h"

#include <gtest/gtest.h>

namespace kvorum::cluster {
namespace {

Version version_of(uint64_t node, std::string_view bytes, const SharedBytes* owner = nullptr) {
  Version version;
  version.dot = {{node, 1, Hlc{node}}, Hlc{node}};
  version.bytes = bytes;
  version.owner = owner;
  return version;
}

Object object_of(std::initializer_list<Version> versions) {
  Object object;
  for (const Version& version : versions) {
    object.versions.push_back(version);
    object.vector.raise(version.dot.actor, version.dot.hlc);
  }
  return object;
}

TEST(HeldObject, KeepsTheBytesOfWhatIsGone) {
  HeldObject held;
  EXPECT_FALSE(held.is_set());
  {
    std::string first = "one", second(500, 'x'), lost = "old";
    Object object = object_of({version_of(2, first), version_of(1, second)});
    object.outvoted.push_back(version_of(3, lost));
    held.hold(object);
    first.assign(3, '?');
    second.assign(500, '?');
    lost.assign(3, '?');
  }
  ASSERT_EQ(held.object().versions.size(), 2u);
  EXPECT_EQ(held.object().versions[0].bytes, "one");
  EXPECT_EQ(held.object().versions[1].bytes, std::string(500, 'x'));
  EXPECT_EQ(held.object().outvoted[0].bytes, "old");
  EXPECT_EQ(held.bytes(), 506u);
}

TEST(HeldObject, AnEmptyObjectIsHeldToo) {
  HeldObject held;
  held.hold({});
  EXPECT_TRUE(held.is_set());
  EXPECT_TRUE(held.object().empty());
  held.clear();
  EXPECT_FALSE(held.is_set());
}

TEST(HeldObject, TakesWhatWasMadeOfItself) {
  HeldObject held;
  const std::string small = "tiny", large(1000, 'y');
  held.hold(object_of({version_of(1, small), version_of(2, large)}));
  for (int turn = 0; turn < 3; ++turn) {
    Object other = held.object();  // views into what is held
    std::swap(other.versions[0], other.versions[1]);
    held.hold(other);
  }
  EXPECT_EQ(held.object().versions[0].bytes, large);
  EXPECT_EQ(held.object().versions[1].bytes, small);
}

TEST(HeldObject, SharesLargeBytes) {
  const SharedBytes owner = share(std::string(kSharedBytesMin, 'z'));
  HeldObject held;
  {
    const SharedBytes mine = owner;
    held.hold(object_of({version_of(1, "a"), version_of(2, *mine, &mine), version_of(3, "b")}));
  }
  EXPECT_EQ(owner.use_count(), 2);
  EXPECT_EQ(held.object().versions[1].bytes.data(), owner->data()) << "not copied";
  EXPECT_EQ(*held.object().versions[1].owner, owner);
  EXPECT_EQ(held.object().versions[2].bytes, "b");
  EXPECT_EQ(held.bytes(), kSharedBytesMin + 2);
  const Object again = held.object();
  held.hold(again);
  EXPECT_EQ(owner.use_count(), 2);
  EXPECT_EQ(held.object().versions[1].bytes, *owner);
  held.clear();
  EXPECT_EQ(owner.use_count(), 1);
}

}  // namespace
}  // namespace kvorum::cluster
