// SPDX-License-Identifier: Apache-2.0
// An object that keeps its own bytes: a clone of one whose bytes are borrowed. Large values are
// shared instead. Not copied nor moved: the object's views point into it.
#pragma once

#include <string>
#include <vector>

#include "cluster/version/object.h"

namespace kvorum::cluster {

class HeldObject {
 public:
  HeldObject() = default;
  HeldObject(const HeldObject&) = delete;

  // Replaces what is there. `other` may have views into this one's bytes.
  void hold(const Object& other);
  void clear();
  // Whether anything is held; that may be an empty object.
  bool is_set() const { return is_set_; }
  const Object& object() const { return object_; }
  // Of values, its own and shared ones.
  size_t bytes() const { return bytes_.size() + shared_bytes_; }
  // Frees memory beyond this. REQUIRES: nothing is held.
  void give_back_memory(size_t kept_max);

 private:
  void add(const Version& version);
  void point_at_own(Version& version, size_t* at, size_t* owner);

  Object object_;
  std::string bytes_;  // of all versions that are not shared, in order
  std::string spare_;  // used by turns with it
  std::vector<SharedBytes> owners_, spare_owners_;
  size_t shared_bytes_ = 0;
  bool is_set_ = false;
};

}  // namespace kvorum::cluster
