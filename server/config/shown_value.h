// SPDX-License-Identifier: Apache-2.0
// What a key of the configuration is, as data: from it come the YAML of `kvorum config show` and
// the lines about what a new file changes. Values; the rows of config_keys.h make them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace kvorum::server {

struct ShownValue {
  enum class Kind : uint8_t {
    kAbsent,  // left out
    kWord,    // a number or a word of ours, written as it is
    kText,    // written in quotes, so that it stays text whatever people chose
    kList,
    kMap,
  };

  static ShownValue word(std::string_view text);
  static ShownValue text(std::string_view text);
  static ShownValue list(std::vector<ShownValue> values, bool on_one_line = false);
  static ShownValue map(bool on_one_line = false);

  // To a map; what is absent is not added.
  void add(ShownValue name, ShownValue value);
  bool is_absent() const { return kind == Kind::kAbsent; }

  Kind kind = Kind::kAbsent;
  std::string letters;             // of a word or a text
  std::vector<ShownValue> names;   // of a map
  std::vector<ShownValue> values;  // of a list or a map
  bool on_one_line = false;        // of them: {a: 1, b: 2} rather than a line for each
};

// Without an end of line behind it. A byte that is not UTF-8 cannot stand in YAML: it shows as
// U+FFFD.
std::string yaml_text(const ShownValue& value);

// The YAML of what stands on one line, by its path: `cluster.members.0`, `keyspaces.carts`.
void add_texts_by_path(const std::string& path, const ShownValue& value,
                       std::map<std::string, std::string>* texts);

}  // namespace kvorum::server
