// SPDX-License-Identifier: Apache-2.0
#include "cluster/version/held_object.h"

#include <utility>

#include "base/check.h"
#include "base/give_back.h"

namespace kvorum::cluster {

void HeldObject::Bytes::add(const Version& version) {
  if (worth_sharing(version.bytes, version.owner)) [[unlikely]] {
    owners.push_back(*version.owner);
    shared += version.bytes.size();
  } else {
    copied.append(version.bytes);
  }
}

void HeldObject::Bytes::clear() {
  copied.clear();
  if (!owners.empty()) [[unlikely]]
    owners.clear();
  shared = 0;
}

void HeldObject::keep(const Object& other, Bytes& kept) {
  for (const Version& version : other.versions) kept.add(version);
  for (const Version& version : other.outvoted) kept.add(version);
  object_ = other;
}

// The same walk once more, after the bytes have their place.
void HeldObject::point_at_own(Version& version, size_t* at, size_t* owner) {
  if (worth_sharing(version.bytes, version.owner)) [[unlikely]] {
    KVORUM_CHECK(*owner < bytes_.owners.size());
    version.owner = &bytes_.owners[(*owner)++];
    return;
  }
  KVORUM_CHECK(version.bytes.size() <= bytes_.copied.size() - *at);
  version.bytes = {bytes_.copied.data() + *at, version.bytes.size()};
  version.owner = nullptr;
  *at += version.bytes.size();
}

void HeldObject::hold(const Object& other) {
  Bytes before;  // lives until all that may refer to it points elsewhere
  if (is_set_) [[unlikely]] {
    Bytes fresh;
    keep(other, fresh);
    before = std::exchange(bytes_, std::move(fresh));
  } else {
    KVORUM_CHECK(bytes_.copied.empty() && bytes_.owners.empty());  // else all would be shifted
    keep(other, bytes_);
  }
  size_t at = 0;
  size_t owner = 0;
  for (Version& version : object_.versions) point_at_own(version, &at, &owner);
  for (Version& version : object_.outvoted) point_at_own(version, &at, &owner);
  KVORUM_CHECK(at == bytes_.copied.size() && owner == bytes_.owners.size());
  is_set_ = true;
}

void HeldObject::clear() {
  if (!is_set_) return;
  object_.vector.clear();
  object_.versions.clear();
  object_.spent.clear();
  object_.outvoted.clear();
  bytes_.clear();
  is_set_ = false;
}

void HeldObject::give_back_memory(size_t kept_max) {
  KVORUM_CHECK(!is_set_);  // the object's views point into it
  give_back(bytes_.copied, kept_max);
}

}  // namespace kvorum::cluster
