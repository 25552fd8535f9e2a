// SPDX-License-Identifier: Apache-2.0
// Bytes of a large value, held by all who use them and changed by nobody: from the socket that they
// came from to the table, the links and the clients that they go to they are copied once. Any
// thread. The last holder has the memory given back by another thread (memory_thread.h).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/large_memory.h"

namespace kvorum {

using SharedBytes = std::shared_ptr<const std::string_view>;

// What is shorter is copied: that costs no more than some tens of microseconds.
inline constexpr size_t kSharedBytesMin = 256 * 1024;

SharedBytes share(std::string&& bytes);
// `bytes` lie in it.
SharedBytes share(MappedMemory&& memory, std::string_view bytes);

// Some of them, with a share of all.
struct SharedView {
  SharedBytes owner;
  std::string_view bytes;

  bool empty() const { return bytes.empty(); }
};

inline bool is_within(std::string_view part, std::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

// Whether a holder of `part`, which may lie within them, rather shares them than copies it. It
// would keep them all.
inline bool worth_sharing(std::string_view part, const SharedBytes* owner) {
  return part.size() >= kSharedBytesMin && owner != nullptr && *owner != nullptr &&
         is_within(part, **owner) && part.size() >= (*owner)->size() / 2;
}

}  // namespace kvorum
