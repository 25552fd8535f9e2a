// SPDX-License-Identifier: Apache-2.0
#include "cluster/version/object_codec.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/large_memory.h"

namespace kvorum::cluster {
namespace {

constexpr uint8_t kGeneral = 1 << 0;
constexpr uint8_t kBorn = 1 << 1;  // birth == hlc, left out (portable form only)
constexpr uint8_t kDeadline = 1 << 2;
constexpr uint8_t kFlags = 1 << 3;
constexpr uint8_t kOrigin = 1 << 4;
constexpr uint8_t kOwnBirth = 1 << 5;  // inline: own birth is the dot's; general: it follows
constexpr uint8_t kSpent = 1 << 6;     // of a general record: spent origins follow the vector
constexpr uint8_t kRetried = 1 << 6;   // of a version, so of an inline record
constexpr uint8_t kOutvoted = 1 << 7;  // of a general record: outvoted versions follow the others
constexpr uint8_t kMarksShift = 5;     // within the type
static_assert(kMarksMask << kMarksShift == 0xe0);
static_assert(engine::kFiledMark == kOutvoted, "alone it begins no record, which is inline then");

// How authors are written and read in the two forms.
struct TableAuthors {
  static constexpr size_t kBytes = 2;
  // The second write of a key must fit where the first one stood.
  static constexpr bool kLeavesOutBirth = false;
  AuthorTable* authors;
  bool ok = true;

  template <class Out>
  void put(Out& out, const Actor& actor, Hlc hlc) {
    AuthorTable::Index index = 0;
    if (!authors->intern(actor.node, actor.incarnation, &index)) {
      ok = false;
    } else {
      authors->saw(index, hlc);
    }
    put_u16(out, index);
  }
};

struct KnownAuthors {
  static constexpr size_t kBytes = 2;
  const AuthorTable* authors;

  void get(ByteReader& reader, Actor& actor) const {
    const Author& author = authors->at(reader.u16());
    actor.node = author.node;
    actor.incarnation = author.incarnation;
  }
};

struct PortableAuthors {
  static constexpr size_t kBytes = 16;
  static constexpr bool kLeavesOutBirth = true;
  template <class Out>
  void put(Out& out, const Actor& actor, Hlc) {
    put_u64(out, actor.node);
    put_u64(out, actor.incarnation);
  }
  void get(ByteReader& reader, Actor& actor) const {
    actor.node = reader.u64();
    actor.incarnation = reader.u64();
  }
};

// What is decoded: in one piece, or with the body of an inline record apart.
struct Encoded {
  std::string_view bytes;
  const SharedView* body = nullptr;
  const SharedBytes* owner = nullptr;  // of `bytes`
};

// Of a record, or of an object alone.
struct Content {
  const Object& object;
  Hlc own_birth{};
};

bool fits_inline(const Content& content) {
  const auto& [object, own_birth] = content;
  if (object.versions.size() != 1 || object.vector.size() != 1) return false;
  if (!object.spent.empty() || !object.outvoted.empty()) return false;
  const Dot& dot = object.versions[0].dot;
  const VectorEntry& entry = *object.vector.begin();
  if (!(entry.actor == dot.actor) || entry.hlc != dot.hlc) return false;
  return own_birth.value == 0 || own_birth == dot.actor.birth;
}

template <class Authors>
uint8_t fields_of(const Version& version) {
  uint8_t form = 0;
  if (Authors::kLeavesOutBirth && version.dot.actor.birth == version.dot.hlc) form |= kBorn;
  if (version.deadline_ms != 0) form |= kDeadline;
  if (version.flags != 0) form |= kFlags;
  if (version.origin != 0) form |= kOrigin;
  if (version.retried) form |= kRetried;
  return form;
}

// Of a version without its bytes.
constexpr size_t kVersionHeadMax = 64;

template <class Out, class Authors>
void put_version(Out& out, const Version& version, Authors& authors) {
  put_u8(out,
         static_cast<uint8_t>(version.type) | static_cast<uint8_t>(version.marks << kMarksShift));
  authors.put(out, version.dot.actor, version.dot.hlc);
  put_u64(out, version.dot.hlc.value);
  const bool born = Authors::kLeavesOutBirth && version.dot.actor.birth == version.dot.hlc;
  if (!born) put_u64(out, version.dot.actor.birth.value);
  if (version.deadline_ms != 0) put_u64(out, version.deadline_ms);
  if (version.flags != 0) put_u32(out, version.flags);
  if (version.origin != 0) put_u64(out, version.origin);
}

template <class Authors>
void get_version(ByteReader& reader, uint8_t form, const Authors& authors, Version& version) {
  const uint8_t type = reader.u8();
  version.type = static_cast<TypeTag>(type & ((1 << kMarksShift) - 1));
  version.marks = static_cast<uint8_t>(type >> kMarksShift);
  authors.get(reader, version.dot.actor);
  version.dot.hlc.value = reader.u64();
  version.dot.actor.birth = form & kBorn ? version.dot.hlc : Hlc{reader.u64()};
  version.deadline_ms = form & kDeadline ? reader.u64() : 0;
  version.flags = form & kFlags ? reader.u32() : 0;
  version.origin = form & kOrigin ? reader.u64() : 0;
  version.retried = form & kRetried;
}

template <class Authors>
void put_spent(std::string& out, const Object& object, Authors& authors) {
  put_varint(out, object.spent.size());
  for (const SpentOrigin& spent : object.spent) {
    put_u64(out, spent.origin);
    put_u64(out, spent.replaced.value);
    authors.put(out, spent.dot.actor, spent.dot.hlc);
    put_u64(out, spent.dot.actor.birth.value);
    put_u64(out, spent.dot.hlc.value);
  }
}

// False where there are more than bytes, or one stands twice.
template <class Authors>
bool get_spent(ByteReader& reader, const Authors& authors, Object& object) {
  const uint64_t count = reader.varint();
  if (count > reader.rest().size() / (Authors::kBytes + 32)) return false;
  for (uint64_t n = 0; n < count; ++n) {
    SpentOrigin spent;
    spent.origin = reader.u64();
    if (spent.origin == 0 || (n > 0 && object.spent.back().origin >= spent.origin)) return false;
    spent.replaced.value = reader.u64();
    authors.get(reader, spent.dot.actor);
    spent.dot.actor.birth.value = reader.u64();
    spent.dot.hlc.value = reader.u64();
    object.spent.push_back(spent);
  }
  return true;
}

template <class Authors>
void put_versions(std::string& out, const InlineVector<Version, 1>& versions, Authors& authors) {
  put_varint(out, versions.size());
  for (const Version& version : versions) {
    FixedBytes<1 + kVersionHeadMax> front;
    put_u8(front, fields_of<Authors>(version));
    put_version(front, version, authors);
    out.append(front.view());
    put_bytes(out, version.bytes);
  }
}

// False where there are more than bytes.
template <class Authors>
bool get_versions(ByteReader& reader, const Authors& authors, const SharedBytes* owner,
                  InlineVector<Version, 1>& versions) {
  const uint64_t count = reader.varint();
  if (count > reader.rest().size() / (Authors::kBytes + 11)) return false;
  for (uint64_t n = 0; n < count && reader.ok(); ++n) {
    Version& version = versions.extend();
    get_version(reader, reader.u8(), authors, version);
    version.bytes = reader.bytes();
    version.owner = owner;
  }
  return reader.ok();
}

template <class Authors>
void put_general(const Content& content, std::string& out, Authors& authors) {
  const auto& [object, own_birth] = content;
  uint8_t form = kGeneral;
  if (own_birth.value) form |= kOwnBirth;
  if (!object.spent.empty()) form |= kSpent;
  if (!object.outvoted.empty()) form |= kOutvoted;
  put_u8(out, form);
  if (own_birth.value) put_u64(out, own_birth.value);
  put_varint(out, object.vector.size());
  for (const VectorEntry& entry : object.vector) {
    authors.put(out, entry.actor, entry.hlc);
    put_u64(out, entry.actor.birth.value);
    put_u64(out, entry.hlc.value);
  }
  if (form & kSpent) put_spent(out, object, authors);
  put_versions(out, object.versions, authors);
  if (form & kOutvoted) put_versions(out, object.outvoted, authors);
}

template <class Authors>
const Version* encode(const Content& content, std::string& head, Authors& authors) {
  const auto& [object, own_birth] = content;
  if (!fits_inline(content)) {
    put_general(content, head, authors);
    return nullptr;
  }
  const Version& version = object.versions[0];
  FixedBytes<1 + kVersionHeadMax> front;
  put_u8(front, fields_of<Authors>(version) | (own_birth.value ? kOwnBirth : 0));
  put_version(front, version, authors);
  head.append(front.view());
  return &version;
}

template <class Authors>
bool decode_general(ByteReader& reader, const Encoded& encoded, const Authors& authors,
                    Record& record) {
  const auto form = static_cast<uint8_t>(encoded.bytes.front());
  if (form & kOwnBirth) record.own_birth.value = reader.u64();
  const uint64_t entries = reader.varint();
  if (entries > reader.rest().size() / (Authors::kBytes + 16)) return false;
  for (uint64_t n = 0; n < entries; ++n) {
    Actor actor;
    authors.get(reader, actor);
    actor.birth.value = reader.u64();
    const Hlc hlc{reader.u64()};
    if (n > 0 && !((record.object.vector.end() - 1)->actor < actor)) return false;
    record.object.vector.raise(actor, hlc);
  }
  if ((form & kSpent) && !get_spent(reader, authors, record.object)) return false;
  if (!get_versions(reader, authors, encoded.owner, record.object.versions)) return false;
  if ((form & kOutvoted) && !get_versions(reader, authors, encoded.owner, record.object.outvoted)) {
    return false;
  }
  return reader.ok() && reader.done();
}

template <class Authors>
bool decode(const Encoded& encoded, const Authors& authors, Record& record) {
  record.object.vector.clear();
  record.object.versions.clear();
  record.object.spent.clear();
  record.object.outvoted.clear();
  record.own_birth = {};
  if (encoded.bytes.empty()) return true;
  ByteReader reader(encoded.bytes);
  const uint8_t form = reader.u8();
  if (form & kGeneral) return decode_general(reader, encoded, authors, record);
  if (form & kOutvoted) return false;
  Version& version = record.object.versions.extend();
  get_version(reader, form, authors, version);
  version.bytes = encoded.body == nullptr ? reader.rest() : encoded.body->bytes;
  version.owner = encoded.body == nullptr ? encoded.owner : &encoded.body->owner;
  record.object.vector.begin_with(version.dot.actor, version.dot.hlc);
  if (form & kOwnBirth) record.own_birth = version.dot.actor.birth;
  return reader.ok();
}

bool well_formed(const Object& object, const InlineVector<Version, 1>& versions) {
  for (size_t at = 0; at < versions.size(); ++at) {
    const Version& version = versions[at];
    if (!object.vector.covers(version.dot) || version.type > TypeTag::kString) return false;
    if (version.type == TypeTag::kTombstone && version.marks != 0) return false;
    if (version.dot.actor.birth > version.dot.hlc || object.find_spent(version.origin))
      return false;
    if (at > 0 && !newer(versions[at - 1].dot, version.dot)) return false;
  }
  return true;
}

// What only a foreign writer could get wrong.
bool well_formed(const Object& object) {
  if (!well_formed(object, object.versions)) return false;
  if (object.outvoted.empty()) return true;
  if (object.versions.empty() || object.outvoted.size() > kOutvotedMax) return false;
  return newer(object.versions[0].dot, object.outvoted[0].dot) &&
         std::none_of(object.outvoted.begin(), object.outvoted.end(),
                      [&](const Version& version) { return object.find(version.dot); }) &&
         well_formed(object, object.outvoted);
}

// The usual record without a stop at the object: only the author is spelt out, and a birth that is
// the dot's left out.
bool inline_to_portable(std::string_view record, const AuthorTable& authors, std::string& out) {
  constexpr size_t kHead = 2 + KnownAuthors::kBytes + 2 * sizeof(uint64_t);
  if (record.size() < kHead || (static_cast<uint8_t>(record[0]) & kGeneral)) return false;
  ByteReader reader(record);
  const uint8_t form = reader.u8();
  const uint8_t type = reader.u8();
  const Author& author = authors.at(reader.u16());
  const uint64_t hlc = reader.u64();
  const uint64_t birth = reader.u64();
  FixedBytes<1 + kVersionHeadMax> front;
  put_u8(front, birth == hlc ? form | kBorn : form);
  put_u8(front, type);
  put_u64(front, author.node);
  put_u64(front, author.incarnation);
  put_u64(front, hlc);
  if (birth != hlc) put_u64(front, birth);
  out.append(front.view());
  out.append(reader.rest());
  return true;
}

void append_value(const Version& version, std::string& out) {
  make_large_room(out, version.bytes.size());
  out.append(version.bytes);
}

bool decode_portable(const Encoded& encoded, Object& object) {
  Record record;
  if (!decode(encoded, PortableAuthors{}, record) || !well_formed(record.object)) return false;
  object = std::move(record.object);
  return true;
}

}  // namespace

bool encode_record(const Record& record, AuthorTable& authors, std::string& head,
                   engine::RecordChange* change) {
  head.clear();
  TableAuthors names{&authors};
  const Version* const single = encode({record.object, record.own_birth}, head, names);
  change->body = single == nullptr ? std::string_view() : single->bytes;
  change->owner = single == nullptr ? nullptr : single->owner;
  return names.ok;
}

void decode_record(const engine::RecordView& bytes, const AuthorTable& authors, Record& record) {
  const bool whole = decode({bytes.bytes, bytes.body}, KnownAuthors{&authors}, record);
  KVORUM_CHECK(whole);
}

void encode_object(const Object& object, std::string& out) {
  PortableAuthors names;
  const Version* const single = encode({object}, out, names);
  if (single != nullptr) append_value(*single, out);
}

void encode_object(const Object& object, EncodedObject& out) {
  PortableAuthors names;
  out.clear();
  const Version* const single = encode({object}, out.head, names);
  if (single == nullptr) return;
  if (worth_sharing(single->bytes, single->owner)) {
    out.body = {*single->owner, single->bytes};
  } else {
    append_value(*single, out.head);
  }
}

bool decode_object(std::string_view bytes, Object& object, const SharedBytes* owner) {
  return decode_portable({bytes, nullptr, owner}, object);
}

void keep_encoded(std::string_view bytes, const SharedBytes* owner, EncodedObject& out) {
  out.clear();
  if (worth_sharing(bytes, owner)) {
    out.body = {*owner, bytes};
  } else {
    out.head.assign(bytes);
  }
}

bool decode_object(const EncodedObject& bytes, Object& object) {
  const SharedView& body = bytes.body;
  if (body.empty()) return decode_portable({bytes.head}, object);
  if (bytes.head.empty()) return decode_portable({body.bytes, nullptr, &body.owner}, object);
  return decode_portable({bytes.head, &body}, object);
}

uint64_t StoredRecordCodec::digest(const KeyRef& key, engine::RecordView record) const {
  Record decoded;
  decode_record(record, *authors_, decoded);
  return leaf_digest(key, decoded.object, digest_seed_);
}

void StoredRecordCodec::to_portable(engine::RecordView record, std::string& out) const {
  if (inline_to_portable(record.bytes, *authors_, out)) return;
  Record decoded;
  decode_record(record, *authors_, decoded);
  PortableAuthors names;
  const Version* const single = encode({decoded.object, decoded.own_birth}, out, names);
  if (single != nullptr && record.body == nullptr) append_value(*single, out);
}

bool StoredRecordCodec::from_portable(const KeyRef& key, std::string_view portable,
                                      std::string& head, engine::RecordChange* facts) const {
  Record decoded;
  if (!decode({portable}, PortableAuthors{}, decoded) || !well_formed(decoded.object)) return false;
  if (!encode_record(decoded, *authors_, head, facts)) return false;
  describe_record(decoded.object, facts);
  facts->digest_change = leaf_digest(key, decoded.object, digest_seed_);
  facts->oldest_changed = oldest_above(decoded.object, {});
  return true;
}

void describe_record(const Object& object, engine::RecordChange* change) {
  change->live = false;
  change->deadline_ms = 0;
  for (const Version& version : object.versions) {
    if (version.type == TypeTag::kTombstone) continue;
    change->live = true;
    if (version.deadline_ms != 0 &&
        (change->deadline_ms == 0 || version.deadline_ms < change->deadline_ms)) {
      change->deadline_ms = version.deadline_ms;
    }
  }
}

}  // namespace kvorum::cluster
