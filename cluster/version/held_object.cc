// SPDX-License-Identifier: Apache-2.0
#include "cluster/version/held_object.h"

#include "base/check.h"
#include "base/give_back.h"

namespace kvorum::cluster {

void HeldObject::add(const Version& version) {
  if (worth_sharing(version.bytes, version.owner)) [[unlikely]] {
    spare_owners_.push_back(*version.owner);
    shared_bytes_ += version.bytes.size();
  } else {
    spare_.append(version.bytes);
  }
}

// The same walk once more, after the bytes have their place.
void HeldObject::point_at_own(Version& version, size_t* at, size_t* owner) {
  if (worth_sharing(version.bytes, version.owner)) [[unlikely]] {
    version.owner = &owners_[(*owner)++];
    return;
  }
  version.bytes = {bytes_.data() + *at, version.bytes.size()};
  version.owner = nullptr;
  *at += version.bytes.size();
}

void HeldObject::hold(const Object& other) {
  spare_.clear();
  spare_owners_.clear();
  shared_bytes_ = 0;
  for (const Version& version : other.versions) add(version);
  for (const Version& version : other.outvoted) add(version);
  object_ = other;
  bytes_.swap(spare_);
  // The old owners live until all that may refer to them points elsewhere.
  owners_.swap(spare_owners_);
  size_t at = 0;
  size_t owner = 0;
  for (Version& version : object_.versions) point_at_own(version, &at, &owner);
  for (Version& version : object_.outvoted) point_at_own(version, &at, &owner);
  KVORUM_CHECK(at == bytes_.size() && owner == owners_.size());
  if (!spare_owners_.empty()) [[unlikely]]
    spare_owners_.clear();
  is_set_ = true;
}

void HeldObject::clear() {
  if (!is_set_) return;
  object_.vector.clear();
  object_.versions.clear();
  object_.spent.clear();
  object_.outvoted.clear();
  bytes_.clear();
  if (!owners_.empty()) [[unlikely]]
    owners_.clear();
  shared_bytes_ = 0;
  is_set_ = false;
}

void HeldObject::give_back_memory(size_t kept_max) {
  KVORUM_CHECK(!is_set_);  // the object's views point into it
  give_back(bytes_, kept_max);
  give_back(spare_, kept_max);
}

}  // namespace kvorum::cluster
