// SPDX-License-Identifier: Apache-2.0
// Any bytes as a number, as a line of words and as the text of a reply. The first byte chooses.
#include <forward_list>
#include <string>
#include <vector>

#include "base/check.h"
#include "protocol/error_texts.h"
#include "protocol/inline_words.h"
#include "protocol/number_text.h"
#include "protocol/reply.h"
#include "tests/fuzz/fuzz_target.h"

namespace kvorum::fuzz {
namespace {

using namespace kvorum::protocol;  // NOLINT: half of it is under test here

// A strict integer is the only text of its value; a float is written as one that can be read.
void check_numbers(std::string_view text) {
  if (const auto value = parse_int64(text)) {
    std::string written;
    append_int64(written, *value);
    KVORUM_CHECK(written == text);
    KVORUM_CHECK(parse_lax_int64(text) == value);
  }
  if (const auto value = parse_long_double(text)) {
    std::string written;
    append_human_long_double(written, *value);
    KVORUM_CHECK(parse_long_double(written).has_value());
  }
}

// What is split and then quoted byte by byte, is split into the same words again.
void check_words(std::string_view line) {
  std::forward_list<std::string> arena;
  std::vector<std::string_view> words;
  if (!split_inline_words(line, words, arena)) {
    KVORUM_CHECK(words.empty());
    return;
  }
  std::string quoted;
  for (const std::string_view word : words) {
    quoted.append(" \"");
    for (const char letter : word) {
      constexpr std::string_view kHex = "0123456789abcdef";
      const auto byte = static_cast<unsigned char>(letter);
      quoted.append("\\x");
      quoted.push_back(kHex[byte >> 4]);
      quoted.push_back(kHex[byte & 15]);
    }
    quoted.push_back('"');
  }
  std::vector<std::string_view> again;
  KVORUM_CHECK(split_inline_words(quoted, again, arena));
  KVORUM_CHECK(words == again);
}

void check_one_line(const std::string& written) {
  KVORUM_CHECK(written.ends_with("\r\n"));
  KVORUM_CHECK(written.find_first_of("\r\n") == written.size() - 2);
}

void check_lines(std::string_view text) {
  const std::string_view words[] = {text, text, text};
  const Reply replies[] = {Reply::error(text), Reply::simple(text), Reply::line(text),
                           Reply::error_owned(unknown_command(words)),
                           Reply::error_owned(wrong_number_of_arguments(text))};
  for (const Reply& reply : replies) {
    std::string redis;
    write_resp(reply, RespVersion::k3, redis);
    check_one_line(redis);
    std::string memcached;
    write_memcached(reply, memcached);
    check_one_line(memcached);
  }
}

void fuzz_text(std::string_view input) {
  Choices choices(input);
  switch (choices.byte() % 3) {
    case 0:
      return check_numbers(choices.rest());
    case 1:
      return check_words(choices.rest());
    default:
      return check_lines(choices.rest());
  }
}

const RegisterFuzzTarget kRegistered("text_fuzz", &fuzz_text);

}  // namespace
}  // namespace kvorum::fuzz
