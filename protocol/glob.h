// SPDX-License-Identifier: Apache-2.0
// Glob patterns as Redis understands them: * ? [abc] [^abc] [a-z] and backslash. Pure.
#pragma once

#include <string_view>

namespace kvorum::protocol {

// The empty text matches the empty pattern alone: who means all texts by "*" looks for that first.
// Linear space and at most |pattern| * |text| steps, whatever a client sends.
bool glob_matches(std::string_view pattern, std::string_view text, bool ignore_case = false);

}  // namespace kvorum::protocol
