// SPDX-License-Identifier: Apache-2.0
// Bytes of objects. Two forms of one layout: the table form names authors by their interned index
// (records in an ObjectTable), the portable form spells node and incarnation out (disk, frames).
//
//   form   u8    bit 0 general, else "inline": one version whose dot is the whole vector
//   inline       type and marks u8, author, hlc u64, [birth], [deadline], [flags], [origin], value
//   to the end general      [own birth], count, vector entries, [count, spent origins], count,
//   versions each
//                with their length, [count, outvoted versions likewise]
//
// Optional fields stand where their bit in `form` is set. Decoded bytes are views into the input.
#pragma once

#include <string>
#include <string_view>

#include "cluster/version/author_table.h"
#include "cluster/version/object.h"
#include "engine/table/object_table.h"

namespace kvorum::cluster {

// What a node keeps per key: the object, and the birth under which this node itself may go on
// minting (0 where it has not minted since it last lacked the key). The birth never travels.
struct Record {
  Object object;
  Hlc own_birth;
};

// The change's record is head followed by body (body: the value of an inline record, not copied).
// False where the authors table is full.
bool encode_record(const Record& record, AuthorTable& authors, std::string& head,
                   engine::RecordChange* change);
// Only for what encode_record() made. An empty view is an empty record.
void decode_record(const engine::RecordView& bytes, const AuthorTable& authors, Record& record);

// Portable form, appended. decode checks every bound and that the vector covers every version.
void encode_object(const Object& object, std::string& out);
// `owner`, where there is one, holds the bytes: a borrower of a large value may share them.
bool decode_object(std::string_view bytes, Object& object, const SharedBytes* owner = nullptr);

// An object of one large value that is not copied: its portable form is head followed by body. Of
// any other the head is all.
struct EncodedObject {
  std::string head;
  SharedView body;

  size_t size() const { return head.size() + body.bytes.size(); }
  bool empty() const { return head.empty() && body.empty(); }
  void clear() {
    head.clear();
    if (!body.empty()) [[unlikely]]
      body = {};
  }
  void swap(EncodedObject& other) {
    head.swap(other.head);
    if (!body.empty() || !other.body.empty()) [[unlikely]]
      std::swap(body, other.body);
  }
};
// Replaces what is there.
void encode_object(const Object& object, EncodedObject& out);
// The same of what is encoded in one piece already: shared, then all of it is the body.
void keep_encoded(std::string_view bytes, const SharedBytes* owner, EncodedObject& out);
bool decode_object(const EncodedObject& bytes, Object& object);

// Translates for the engine below a leveldb node (see engine::RecordCodec).
class StoredRecordCodec : public engine::RecordCodec {
 public:
  StoredRecordCodec(AuthorTable* authors, uint64_t digest_seed)
      : authors_(authors), digest_seed_(digest_seed) {}

  uint64_t digest(const KeyRef& key, engine::RecordView record) const override;
  void to_portable(engine::RecordView record, std::string& out) const override;
  bool from_portable(const KeyRef& key, std::string_view portable, std::string& head,
                     engine::RecordChange* facts) const override;

 private:
  AuthorTable* authors_;
  uint64_t digest_seed_;
};

// Fills live, deadline_ms of a change from what the record holds.
void describe_record(const Object& object, engine::RecordChange* change);

}  // namespace kvorum::cluster
