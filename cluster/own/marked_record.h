// SPDX-License-Identifier: Apache-2.0
// A stored record as the raised flush marks leave it, or as it is dropped with its range.
#pragma once

#include <string>

#include "cluster/own/node_parts.h"
#include "cluster/version/object_codec.h"

namespace kvorum::cluster {

// What the marks leave of a record. Holds the bytes of the change until the next call.
class MarkedRecord {
 public:
  explicit MarkedRecord(const NodeParts& parts) : parts_(parts) {}
  engine::RecordChange change_of(const KeyRef& key, engine::RecordView bytes);

 private:
  const NodeParts& parts_;
  Record record_;
  std::string head_;
};

// A record of a range that this node gives up: all of it goes, whatever it is.
class DroppedRecord {
 public:
  explicit DroppedRecord(const NodeParts& parts) : parts_(parts) {}
  engine::RecordChange change_of(const KeyRef& key, engine::RecordView bytes);

 private:
  const NodeParts& parts_;
  Record record_;
};

}  // namespace kvorum::cluster
