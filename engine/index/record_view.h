// SPDX-License-Identifier: Apache-2.0
// A record as the table shows it: in one piece, or as a head and a large body that is kept apart
// from it and shared (base/shared_bytes.h).
#pragma once

#include <string_view>

#include "base/check.h"
#include "base/shared_bytes.h"

namespace kvorum::engine {

struct RecordView {
  std::string_view bytes;            // all of it, or the head; data() is null where there is none
  const SharedView* body = nullptr;  // follows the head

  bool absent() const { return bytes.data() == nullptr; }
  size_t size() const { return bytes.size() + (body == nullptr ? 0 : body->bytes.size()); }
  // Of one in one piece: for those who store no others.
  operator std::string_view() const {  // NOLINT: implicit by design
    KVORUM_CHECK(body == nullptr);
    return bytes;
  }
};

}  // namespace kvorum::engine
