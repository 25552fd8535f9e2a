// SPDX-License-Identifier: Apache-2.0
#include "protocol/inline_words.h"

#include "base/ascii.h"

namespace kvorum::protocol {
namespace {

bool is_blank(char letter) { return letter == ' ' || (letter >= '\t' && letter <= '\r'); }

// Outside quotes vertical tab and form feed stand within a word, although they are skipped before
// one; Redis does so.
bool ends_word(char letter) {
  return letter == ' ' || letter == '\n' || letter == '\r' || letter == '\t';
}

char escaped(char letter) {
  switch (letter) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return letter;
  }
}

// Reads one word from the front of a line; each function removes what it has read.
class WordReader {
 public:
  explicit WordReader(std::string_view line) : rest_(line) {}

  bool at_end() {
    while (!rest_.empty() && is_blank(rest_[0])) rest_.remove_prefix(1);
    return rest_.empty();
  }

  // The letters up to a blank or a quote.
  std::string_view take_plain() {
    size_t size = 0;
    while (size < rest_.size() && !ends_word(rest_[size]) && !quote_at(size)) ++size;
    const std::string_view plain = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return plain;
  }

  bool at_quote() const { return !rest_.empty() && quote_at(0); }

  // The quoted part that begins here, appended to `word`. False if it does not end properly.
  bool take_quoted(std::string& word) {
    const char quote = rest_[0];
    rest_.remove_prefix(1);
    while (!rest_.empty() && rest_[0] != quote) {
      if (rest_[0] == '\\' && rest_.size() > 1) {
        take_escape(quote, word);
      } else {
        word.push_back(rest_[0]);
        rest_.remove_prefix(1);
      }
    }
    if (rest_.empty()) return false;
    rest_.remove_prefix(1);
    return rest_.empty() || is_blank(rest_[0]);
  }

 private:
  bool quote_at(size_t index) const { return rest_[index] == '"' || rest_[index] == '\''; }

  void take_escape(char quote, std::string& word) {
    size_t size = 2;
    if (quote == '\'') {
      if (rest_[1] == '\'') {
        word.push_back('\'');
      } else {
        word.push_back('\\');
        size = 1;
      }
    } else if (rest_[1] == 'x' && rest_.size() > 3 && hex_digit(rest_[2]) >= 0 &&
               hex_digit(rest_[3]) >= 0) {
      word.push_back(static_cast<char>(hex_digit(rest_[2]) * 16 + hex_digit(rest_[3])));
      size = 4;
    } else {
      word.push_back(escaped(rest_[1]));
    }
    rest_.remove_prefix(size);
  }

  std::string_view rest_;
};

}  // namespace

bool split_inline_words(std::string_view line, std::vector<std::string_view>& words,
                        std::forward_list<std::string>& arena) {
  const size_t before = words.size();
  WordReader reader(line);
  while (!reader.at_end()) {
    const std::string_view plain = reader.take_plain();
    if (!reader.at_quote()) {
      words.push_back(plain);
      continue;
    }
    // A quoted part always ends its word: Redis wants a blank after the closing quote.
    std::string& word = arena.emplace_front(plain);
    if (!reader.take_quoted(word)) {
      words.resize(before);
      return false;
    }
    words.push_back(word);
  }
  return true;
}

}  // namespace kvorum::protocol
