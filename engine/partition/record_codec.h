// SPDX-License-Identifier: Apache-2.0
// Translates records between the table's form (interned actors) and the store's portable form.
// Handed in by cluster/. to_portable() and digest() are called under a partition's lock.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/position.h"
#include "engine/index/record_view.h"
#include "engine/partition/record_change.h"

namespace kvorum::engine {

class RecordCodec {
 public:
  virtual ~RecordCodec() = default;
  // As `digest_change` of the update that stored it.
  virtual uint64_t digest(const KeyRef& key, RecordView record) const = 0;
  // Of a record whose body stands apart only what comes before that is appended.
  // What it appends to an empty string never begins with kFiledMark.
  virtual void to_portable(RecordView record, std::string& out) const = 0;
  // False where the bytes are damaged. The record is `head`, followed by the change's body, a view
  // into `portable`. It also gets live, deadline_ms and the digest (in digest_change). A body that
  // is in a file is empty here.
  virtual bool from_portable(const KeyRef& key, std::string_view portable, std::string& head,
                             RecordChange* facts) const = 0;
};

}  // namespace kvorum::engine
