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
  size_t bytes() const { return bytes_.copied.size() + bytes_.shared; }
  // Frees memory beyond this. REQUIRES: nothing is held.
  void give_back_memory(size_t kept_max);

 private:
  struct Bytes {
    std::string copied;  // of all versions that are not shared, in order
    std::vector<SharedBytes> owners;
    size_t shared = 0;

    void add(const Version& version);
    void clear();
  };
  void keep(const Object& other, Bytes& kept);
  void point_at_own(Version& version, size_t* at, size_t* owner);

  bool is_set_ = false;
  Bytes bytes_;
  Object object_;
};

}  // namespace kvorum::cluster
