// SPDX-License-Identifier: Apache-2.0
// Versions of requests that several coordinators may have run, for tests of what becomes of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cluster/version/object.h"

namespace kvorum::cluster::fixtures {

inline constexpr Actor kFirst{1, 10, Hlc{1}};
inline constexpr Actor kSecond{2, 20, Hlc{1}};
inline constexpr Actor kThird{3, 30, Hlc{1}};
inline constexpr uint64_t kRequest = 77;

inline Version version_of(const Actor& actor, uint64_t hlc, std::string_view bytes,
                          uint64_t origin) {
  Version version;
  version.dot = {actor, Hlc{hlc}};
  version.origin = origin;
  version.bytes = bytes;
  return version;
}

// As a retry makes it.
inline Version retried(Version version) {
  version.retried = true;
  return version;
}

inline Object only(const Version& version) {
  Object object;
  update(object, {}, version);
  return object;
}

// By a client who has seen all of it.
inline void overwrite(Object& object, const Version& version) {
  update(object, Context{object.vector, {}}, version);
}

inline std::vector<std::string> texts(const InlineVector<Version, 1>& versions) {
  std::vector<std::string> values;
  for (const Version& version : versions) values.emplace_back(version.bytes);
  return values;
}

inline std::vector<std::string> values_of(const Object& object) { return texts(object.versions); }

}  // namespace kvorum::cluster::fixtures
