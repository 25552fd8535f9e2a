// SPDX-License-Identifier: Apache-2.0
// One object as the store has it, decoded, with its body where that is in a file. Not to be copied
// or moved while `facts` is in use, which points into the rest.
#pragma once

#include <string>
#include <string_view>

#include "base/position.h"
#include "base/shared_bytes.h"
#include "base/status.h"
#include "engine/partition/record_change.h"
#include "engine/partition/table_shared.h"

namespace kvorum::engine {

struct StoredRecord {
  // False where the value makes no sense. It has to stay as long as `facts` is in use.
  bool decode(const TableShared& shared, const KeyRef& key, std::string_view value);
  // Reads the file of a body that is in one. kCorruption where it is missing or damaged. Blocks.
  Status read_body(const TableShared& shared);

  // As RecordCodec::from_portable() made it, with head and file. The body of one with a file is
  // empty until read_body().
  RecordChange facts;
  std::string head;
  SharedBytes body;
};

}  // namespace kvorum::engine
