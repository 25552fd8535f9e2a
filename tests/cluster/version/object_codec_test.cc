// SPDX-License-Identifier: Apache-2.0
#include "cluster/version/object_codec.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/rng.h"
#include "tests/cluster/reachable_history.h"

namespace kvorum::cluster {
namespace {

using fixtures::draw_steps;
using fixtures::History;
using fixtures::same_object;
using fixtures::same_version;
using fixtures::sample_states;

constexpr Actor kActor{0x1111111111111111, 0x2222222222222222, Hlc{500}};
constexpr Actor kOther{0x3333333333333333, 0x4444444444444444, Hlc{600}};

Object single(std::string_view bytes, Hlc hlc = Hlc{501}) {
  Version version;
  version.dot = {kActor, hlc};
  version.bytes = bytes;
  Object object;
  update(object, {}, version);
  return object;
}

std::string portable(const Object& object) {
  std::string bytes;
  encode_object(object, bytes);
  return bytes;
}

std::string table_form(const Record& record, AuthorTable& authors) {
  std::string head;
  engine::RecordChange change;
  EXPECT_TRUE(encode_record(record, authors, head, &change));
  return head + std::string(change.body);
}

// Everything that decode_object() promises of what it lets in.
bool well_formed(const Object& object) {
  for (size_t at = 0; at < object.versions.size(); ++at) {
    const Version& version = object.versions[at];
    if (!object.vector.covers(version.dot)) return false;
    if (version.type > TypeTag::kString || version.dot.actor.birth > version.dot.hlc) return false;
    if (at > 0 && !newer(object.versions[at - 1].dot, version.dot)) return false;
  }
  for (const Version& version : object.outvoted) {
    if (object.versions.empty() || !newer(object.versions[0].dot, version.dot)) return false;
    if (!object.vector.covers(version.dot) || version.type > TypeTag::kString) return false;
  }
  for (size_t at = 1; at < object.vector.size(); ++at) {
    if (!(object.vector.begin()[at - 1].actor < object.vector.begin()[at].actor)) return false;
  }
  return true;
}

// One object per combination of optional fields, inline and general.
std::vector<Object> every_form() {
  std::vector<Object> objects;
  for (unsigned fields = 0; fields < 128; ++fields) {
    Object object = single(fields & 32 ? "a value" : "", fields & 1 ? Hlc{500} : Hlc{501});
    Version& version = object.versions[0];
    if (fields & 2) version.deadline_ms = 123456789;
    if (fields & 4) version.flags = 0xdeadbeef;
    if (fields & 8) version.origin = 0x7777;
    if (fields & 16) version.type = TypeTag::kTombstone;
    version.retried = fields & 64;
    if (version.type != TypeTag::kTombstone) version.marks = fields & kMarksMask;
    objects.push_back(object);
    object.vector.raise(kOther, Hlc{700});
    objects.push_back(object);
    Version sibling = version;
    sibling.dot = {kOther, Hlc{701}};
    update(object, {}, sibling);
    objects.push_back(object);
    object.spent.push_back({0x5555, {kActor, Hlc{501}}, Hlc{702}});
    object.spent.push_back({0x6666, {kOther, Hlc{601}}, Hlc{701}});
    objects.push_back(object);
    keep_newest(object);
    objects.push_back(object);
    object.outvoted.clear();
    object.versions.clear();
    objects.push_back(object);
  }
  return objects;
}

RC_GTEST_PROP(ObjectCodecProperty, ReachableObjectsComeBack, ()) {
  History history({});
  history.run(draw_steps());
  AuthorTable authors;
  for (const Object& object : sample_states(history)) {
    Object decoded;
    const std::string bytes = portable(object);
    RC_ASSERT(decode_object(bytes, decoded));
    RC_ASSERT(same_object(decoded, object));
    const std::string record_bytes = table_form({object, Hlc{}}, authors);
    Record record;
    decode_record({record_bytes}, authors, record);
    RC_ASSERT(same_object(record.object, object));
    RC_ASSERT(record.own_birth == Hlc{});
  }
}

TEST(ObjectCodec, EveryFieldComesBackInBothForms) {
  AuthorTable authors;
  for (const Object& object : every_form()) {
    const std::string bytes = portable(object);
    Object decoded;
    ASSERT_TRUE(decode_object(bytes, decoded));
    EXPECT_TRUE(same_object(decoded, object));
    for (const Hlc birth : {Hlc{}, kActor.birth, Hlc{9999}}) {
      const std::string record_bytes = table_form({object, birth}, authors);
      Record record;
      decode_record({record_bytes}, authors, record);
      EXPECT_TRUE(same_object(record.object, object));
      EXPECT_EQ(record.own_birth, birth);
    }
  }
}

TEST(ObjectCodec, TheUsualRecordCostsFewBytesAndDoesNotCopyItsValue) {
  AuthorTable authors;
  const std::string value(1000, 'v');
  std::string head;
  engine::RecordChange change;
  ASSERT_TRUE(encode_record({single(value, Hlc{500}), Hlc{}}, authors, head, &change));
  EXPECT_EQ(head.size(), 20U) << "form, type, author, HLC, birth";
  EXPECT_EQ(change.body.data(), value.data());
}

TEST(ObjectCodec, ALargeValueThatIsOwnedIsShared) {
  AuthorTable authors;
  const SharedBytes owner = share(std::string(kSharedBytesMin, 'v'));
  Object object = single(*owner, Hlc{500});
  object.versions[0].owner = &owner;
  EncodedObject encoded;
  encode_object(object, encoded);
  EXPECT_EQ(encoded.body.owner, owner);
  EXPECT_EQ(encoded.body.bytes.data(), owner->data());
  EXPECT_EQ(encoded.head + std::string(encoded.body.bytes), portable(object));
  Object decoded;
  ASSERT_TRUE(decode_object(encoded, decoded));
  EXPECT_TRUE(same_object(decoded, object));
  EXPECT_EQ(decoded.versions[0].bytes.data(), owner->data());
  ASSERT_NE(decoded.versions[0].owner, nullptr);
  EXPECT_EQ(*decoded.versions[0].owner, owner);
  std::string head;
  engine::RecordChange change;
  ASSERT_TRUE(encode_record({decoded, Hlc{}}, authors, head, &change));
  EXPECT_EQ(*change.owner, owner);
}

TEST(ObjectCodec, WhatIsShortOrAPartOfMuchMoreIsCopied) {
  const SharedBytes much = share(std::string(10 * kSharedBytesMin, 'v'));
  for (const size_t size : {kSharedBytesMin - 1, 2 * kSharedBytesMin}) {
    Object object = single(std::string_view(*much).substr(0, size), Hlc{500});
    object.versions[0].owner = &much;
    EncodedObject encoded;
    encode_object(object, encoded);
    EXPECT_TRUE(encoded.body.empty());
    EXPECT_EQ(encoded.head, portable(object));
  }
}

TEST(ObjectCodec, NoBytesAreAnEmptyObject) {
  Object object = single("x");
  ASSERT_TRUE(decode_object("", object));
  EXPECT_TRUE(object.empty());
  AuthorTable authors;
  Record record{single("x"), Hlc{1}};
  decode_record({}, authors, record);
  EXPECT_TRUE(record.object.empty());
  EXPECT_EQ(record.own_birth, Hlc{});
}

TEST(ObjectCodec, AFullAuthorTableIsSaid) {
  AuthorTable authors;
  AuthorTable::Index index = 0;
  for (uint32_t n = 0; n < AuthorTable::kAuthorsMax; ++n) {
    ASSERT_TRUE(authors.intern(1, n, &index));
  }
  std::string head;
  engine::RecordChange change;
  EXPECT_FALSE(encode_record({single("x"), Hlc{}}, authors, head, &change));
}

TEST(ObjectCodec, EncodingRemembersTheHighestHlcOfEachAuthor) {
  AuthorTable authors;
  Object object = single("x", Hlc{501});
  object.vector.raise(kOther, Hlc{900});
  table_form({object, Hlc{}}, authors);
  AuthorTable::Index index = 0;
  ASSERT_TRUE(authors.intern(kActor.node, kActor.incarnation, &index));
  EXPECT_EQ(authors.at(index).highest_hlc.load(), 501U);
  ASSERT_TRUE(authors.intern(kOther.node, kOther.incarnation, &index));
  EXPECT_EQ(authors.at(index).highest_hlc.load(), 900U);
}

// ---- damage: bytes of peers and disks are never trusted

TEST(ObjectCodecDamage, EveryTruncationIsRefusedOrStillAnObject) {
  for (const Object& object : every_form()) {
    const std::string bytes = portable(object);
    for (size_t size = 1; size < bytes.size(); ++size) {
      const std::string cut = bytes.substr(0, size);
      Object decoded;
      if (!decode_object(cut, decoded)) continue;
      // Only an inline value may end anywhere: frames and stores keep its length.
      EXPECT_TRUE(well_formed(decoded));
      ASSERT_EQ(decoded.versions.size(), 1U);
      EXPECT_EQ(decoded.versions[0].dot, object.versions[0].dot);
      EXPECT_TRUE(object.versions[0].bytes.starts_with(decoded.versions[0].bytes));
    }
  }
}

TEST(ObjectCodecDamage, RandomFlipsNeverYieldAnIllFormedObject) {
  Rng rng(7);
  uint32_t refused = 0;
  for (int round = 0; round < 40; ++round) {
    for (const Object& object : every_form()) {
      std::string bytes = portable(object);
      const uint64_t flips = rng.between(1, 4);
      for (uint64_t n = 0; n < flips; ++n) {
        char& byte = bytes[rng.below(bytes.size())];
        byte = static_cast<char>(byte ^ (1 << rng.below(8)));
      }
      Object decoded;
      if (!decode_object(bytes, decoded)) {
        ++refused;
        continue;
      }
      ASSERT_TRUE(well_formed(decoded));
      Object again;
      const std::string encoded = portable(decoded);
      ASSERT_TRUE(decode_object(encoded, again));
      ASSERT_TRUE(same_object(again, decoded));
    }
  }
  EXPECT_GT(refused, 1000U);
}

TEST(ObjectCodecDamage, RandomBytesNeverYieldAnIllFormedObject) {
  Rng rng(8);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(rng.between(1, 120), '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng.below(rng.chance(0.5) ? 4 : 256));
    Object decoded;
    ASSERT_TRUE(!decode_object(bytes, decoded) || well_formed(decoded));
  }
}

TEST(ObjectCodecDamage, AVersionThatTheVectorDoesNotCoverIsRefused) {
  Object object = single("x");
  object.vector = {};
  object.vector.raise(kOther, Hlc{1});
  Object decoded;
  EXPECT_FALSE(decode_object(portable(object), decoded));
}

TEST(ObjectCodecDamage, AnUnknownTypeIsRefused) {
  Object object = single("x");
  object.versions[0].type = static_cast<TypeTag>(2);
  Object decoded;
  EXPECT_FALSE(decode_object(portable(object), decoded));
}

TEST(ObjectCodecDamage, MarksOfATombstoneAreRefused) {
  Object object = single("");
  object.versions[0].type = TypeTag::kTombstone;
  object.versions[0].marks = kMarkStale;
  Object decoded;
  EXPECT_FALSE(decode_object(portable(object), decoded));
}

TEST(ObjectCodecDamage, VectorsOutOfOrderAndUnknownFormsAreRefused) {
  Object object = single("x");
  object.vector.raise(kOther, Hlc{700});
  std::string bytes = portable(object);
  Object decoded;
  ASSERT_TRUE(decode_object(bytes, decoded));
  const size_t entry_bytes = 32;
  std::string swapped = bytes;
  swapped.replace(2, entry_bytes, bytes, 2 + entry_bytes, entry_bytes);
  EXPECT_FALSE(decode_object(swapped, decoded));  // the same actor twice
  swapped.replace(2 + entry_bytes, entry_bytes, bytes, 2, entry_bytes);
  EXPECT_FALSE(decode_object(swapped, decoded));
  bytes[0] = static_cast<char>(bytes[0] | 0x40);
  EXPECT_FALSE(decode_object(bytes, decoded));
}

// ---- below the engine

TEST(StoredRecordCodec, TranslatesBothWaysAndDescribes) {
  AuthorTable writer;
  Object object = single("value");
  object.versions[0].deadline_ms = 4000;
  object.vector.raise(kOther, Hlc{700});
  const std::string record = table_form({object, kActor.birth}, writer);
  std::string stored;
  StoredRecordCodec(&writer, 42).to_portable({record}, stored);

  AuthorTable reader;  // of the next run: other indices
  AuthorTable::Index index = 0;
  ASSERT_TRUE(reader.intern(99, 99, &index));
  std::string loaded;
  engine::RecordChange facts;
  const KeyRef key{"key", position_of("key"), 0};
  ASSERT_TRUE(StoredRecordCodec(&reader, 42).from_portable(key, stored, loaded, &facts));
  Record decoded;
  loaded.append(facts.body);
  decode_record({loaded}, reader, decoded);
  EXPECT_TRUE(same_object(decoded.object, object));
  EXPECT_EQ(decoded.own_birth, kActor.birth);
  EXPECT_TRUE(facts.live);
  EXPECT_EQ(facts.deadline_ms, 4000U);
  EXPECT_EQ(facts.digest_change, leaf_digest(key, object, 42));
  EXPECT_FALSE(StoredRecordCodec(&reader, 42).from_portable(key, "\xff", loaded, &facts));
}

// The engine keeps a large body in a file, and shows the codec the rest.
TEST(StoredRecordCodec, SaysTheSameOfARecordWithoutItsBody) {
  AuthorTable authors;
  const StoredRecordCodec codec(&authors, 42);
  const SharedBytes owner = share(std::string(kSharedBytesMin, 'v'));
  Object object = single(*owner);
  object.versions[0].owner = &owner;
  object.versions[0].deadline_ms = 4000;
  std::string head, stored;
  engine::RecordChange change;
  ASSERT_TRUE(encode_record({object, kActor.birth}, authors, head, &change));
  const SharedView body{owner, change.body};
  codec.to_portable({head, &body}, stored);
  EXPECT_NE(static_cast<uint8_t>(stored[0]), engine::kFiledMark);

  std::string loaded;
  engine::RecordChange facts;
  const KeyRef key{"key", position_of("key"), 0};
  ASSERT_TRUE(codec.from_portable(key, stored, loaded, &facts));
  EXPECT_EQ(loaded, head);
  EXPECT_TRUE(facts.body.empty());
  EXPECT_TRUE(facts.live);
  EXPECT_EQ(facts.deadline_ms, 4000U);
  EXPECT_EQ(facts.digest_change, leaf_digest(key, object, 42));
  EXPECT_EQ(codec.digest(key, {loaded}), facts.digest_change);
}

TEST(StoredRecordCodec, NoObjectBeginsAsAReferenceToAFile) {
  AuthorTable authors;
  std::string stored, loaded;
  engine::RecordChange facts;
  encode_object(single("value"), stored);
  const KeyRef key{"key", position_of("key"), 0};
  ASSERT_TRUE(StoredRecordCodec(&authors, 42).from_portable(key, stored, loaded, &facts));
  stored[0] = static_cast<char>(engine::kFiledMark);
  Object object;
  EXPECT_FALSE(decode_object(stored, object));
  EXPECT_FALSE(StoredRecordCodec(&authors, 42).from_portable(key, stored, loaded, &facts));
}

TEST(DescribeRecord, IsLiveWithAnyValueAndDueAtItsEarliestDeadline) {
  engine::RecordChange change;
  Object object = single("x");
  object.versions[0].deadline_ms = 9000;
  Version sibling = object.versions[0];
  sibling.dot = {kOther, Hlc{701}};
  sibling.deadline_ms = 5000;
  update(object, {}, sibling);
  describe_record(object, &change);
  EXPECT_TRUE(change.live);
  EXPECT_EQ(change.deadline_ms, 5000U);
  for (Version& version : object.versions) version.type = TypeTag::kTombstone;
  describe_record(object, &change);
  EXPECT_FALSE(change.live);
  EXPECT_EQ(change.deadline_ms, 0U);
}

}  // namespace
}  // namespace kvorum::cluster
