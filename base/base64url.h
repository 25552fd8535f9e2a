// SPDX-License-Identifier: Apache-2.0
// base64url without padding (RFC 4648 section 5): the text form of context tokens.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kvorum {

std::string base64url_encode(std::string_view bytes);

// Nothing for any character outside the alphabet, an impossible length, or set bits past the end:
// every token has exactly one text.
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace kvorum
