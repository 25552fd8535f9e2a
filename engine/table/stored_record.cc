// SPDX-License-Identifier: Apache-2.0
#include "engine/table/stored_record.h"

#include <utility>

#include "base/check.h"
#include "engine/partition/record_codec.h"

namespace kvorum::engine {

bool StoredRecord::decode(const TableShared& shared, const KeyRef& key, std::string_view value) {
  facts = {};
  head.clear();
  body.reset();
  FileReference file;
  if (!take_file_reference(value, &file) || (file.exists() && !shared.filing)) return false;
  if (!shared.options.codec->from_portable(key, value, head, &facts)) return false;
  facts.head = head;
  facts.file = file;
  return true;
}

Status StoredRecord::read_body(const TableShared& shared) {
  if (!facts.file.exists()) return {};
  KVORUM_CHECK(shared.filing.has_value());  // decode() took no reference without it
  Result<SharedBytes> read = shared.filing->read(facts.file);
  if (!read.ok()) return read.status();
  body = std::move(read).value();
  KVORUM_CHECK(body->size() == facts.file.bytes);
  facts.body = *body;
  facts.owner = &body;
  return {};
}

}  // namespace kvorum::engine
