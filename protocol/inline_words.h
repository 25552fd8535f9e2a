// SPDX-License-Identifier: Apache-2.0
// Splits a line into words as Redis does for inline commands and its own configuration: words are
// separated by blanks; "..." takes the escapes \xHH \n \r \t \b \a \\ \", '...' takes \' only;
// after a closing quote must come a blank or the end. Pure; called by RespParser.
#pragma once

#include <forward_list>
#include <string>
#include <string_view>
#include <vector>

namespace kvorum::protocol {

// Appends the words of `line`. Words without quotes point into `line`; the others into strings
// added to `arena`. False, and nothing appended, if the quotes are unbalanced.
bool split_inline_words(std::string_view line, std::vector<std::string_view>& words,
                        std::forward_list<std::string>& arena);

}  // namespace kvorum::protocol
