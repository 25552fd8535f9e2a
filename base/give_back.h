// SPDX-License-Identifier: Apache-2.0
// Buffers that are used again keep their memory, but not that of the largest thing they ever held.
// Assigning an empty string does not do it: the assigned one keeps what it has.
#pragma once

#include <cstddef>
#include <string>

namespace kvorum {

inline void release_memory(std::string& bytes) { std::string().swap(bytes); }

// Lets go of the bytes, and of the memory where it is more than `kept_max`.
inline void give_back(std::string& bytes, size_t kept_max) {
  if (bytes.capacity() > kept_max) [[unlikely]] {
    release_memory(bytes);
  } else {
    bytes.clear();
  }
}

}  // namespace kvorum
