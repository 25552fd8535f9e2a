// SPDX-License-Identifier: Apache-2.0
// Bytes for a wire or a disk: compressed (Snappy) where that saves an eighth, with a checksum over
// what they were.
#pragma once

#include <string>
#include <string_view>

namespace kvorum {

// Appends them.
void pack(std::string_view bytes, std::string& out);
// False where they are damaged, or were more than so many.
bool unpack(std::string_view packed, size_t bytes_max, std::string& out);

}  // namespace kvorum
