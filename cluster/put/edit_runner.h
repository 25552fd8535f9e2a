// SPDX-License-Identifier: Apache-2.0
// An edit in its key's critical section (paper 4.4, 4.5): what was read before is merged into the
// record, the edit runs, a new version gets its dot, and the object is as the replicas shall have
// it. Private to cluster/.
#pragma once

#include "cluster/machine/core.h"

namespace kvorum::cluster {

class EditRunner {
 public:
  enum class Applied : uint8_t { kStored, kNothingToStore, kTooManySiblings };

  explicit EditRunner(Core& core) : core_(core) {}

  // REQUIRES: the lock of the record's key is held, and the edit's number is one of the table.
  // The reply of the edit and what became of it stand in Operation::writing.
  Applied apply(Operation& operation, Record& record, Now now);

 private:
  static Applied keep_replaced(Operation& operation, const SpentOrigin& spent);
  bool merge_reading(const Operation& operation, Object& object);
  EditOutput run(Operation& operation, const Object& object, Now now);
  static void keep_reply(Operation& operation, const EditOutput& edit);
  const SharedBytes* find_owner(std::string_view bytes, Operation& operation, const Object& object);
  Version make_version(Operation& operation, const EditOutput& edit, const Object& object,
                       uint64_t now_ms);
  Applied store_version(Operation& operation, Record& record, const EditOutput& edit, Now now);

  Core& core_;
};

// What the client is told of an edit.
Completion edit_completion(const Operation& operation);

}  // namespace kvorum::cluster
