// SPDX-License-Identifier: Apache-2.0
// Reads YAML mappings key by key into typed variables and notes every mistake with its place
// instead of stopping at the first. A ConfigSection is one mapping: made with the keys that it may
// have, it reports unknown and repeated ones at once; its getters leave the variable alone where
// the key is absent or wrong. Used by the tables of keys and by config.cc; sections live no longer
// than the loaded document.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/ring/member.h"
#include "server/config/config.h"

namespace kvorum::server {

// Collects problems of one file.
class ProblemList {
 public:
  explicit ProblemList(std::string_view file) : file_(file) {}
  void add(const YAML::Mark& mark, std::string text);
  // Of an option of the command line.
  void add_option(std::string_view option, std::string_view text);
  bool empty() const { return problems_.empty(); }
  std::vector<Problem> take_sorted();

 private:
  std::string file_;
  std::vector<Problem> problems_;
};

template <class Number>
struct Range {
  Number min, max;
};

template <class Value>
struct NamedValue {
  std::string_view name;
  Value value;
};

class ConfigSection {
 public:
  // `path` is how messages call it, as `limits` or `cluster.members[0]`; empty at the top.
  ConfigSection(YAML::Node node, std::string path, std::vector<std::string_view> keys,
                ProblemList* problems);
  // The top and `keyspaces` of which any key may be a name.
  static ConfigSection with_any_key(YAML::Node node, std::string path, ProblemList* problems);

  bool has(std::string_view key) const { return values_.contains(key); }
  // Of the value; of the section itself where the key is absent.
  YAML::Mark mark(std::string_view key) const;
  YAML::Mark mark() const { return node_.Mark(); }
  void problem(std::string_view key, std::string_view text) const;
  ProblemList* problems() const { return problems_; }
  std::string path_of(std::string_view key) const;

  YAML::Node child(std::string_view key) const;  // an undefined node where the key is absent
  ConfigSection section(std::string_view key, std::vector<std::string_view> keys) const;
  std::vector<std::string> keys() const { return order_; }

  void text(std::string_view key, std::string& value) const;
  // One text or a list of them, none of them empty; the empty text is the empty list.
  void texts(std::string_view key, std::vector<std::string>& values) const;
  void name(std::string_view key, std::string& value) const;  // text of is_plain_name
  void flag(std::string_view key, bool& value) const;
  void endpoint(std::string_view key, cluster::Endpoint& value) const;
  void duration(std::string_view key, Range<int64_t> range_ms, int64_t& value) const;
  void duration(std::string_view key, Range<int64_t> range_ms, uint64_t& value) const;
  void size(std::string_view key, Range<uint64_t> range, uint64_t& value) const;

  template <class Number>
  void number(std::string_view key, Range<Number> range, Number& value) const {
    if (const auto read = whole_number(key, range.min, range.max)) {
      value = static_cast<Number>(*read);
    }
  }
  template <class Value>
  void choice(std::string_view key, std::span<const NamedValue<Value>> choices,
              Value& value) const {
    std::vector<std::string_view> names;
    for (const auto& choice : choices) names.push_back(choice.name);
    if (const auto index = chosen(key, names)) value = choices[*index].value;
  }
  // The text of a scalar, or nothing: absent, or not a scalar and reported.
  std::optional<std::string> scalar(std::string_view key, std::string_view expected) const;

 private:
  ConfigSection() = default;
  void read_keys();
  std::optional<uint64_t> whole_number(std::string_view key, uint64_t min, uint64_t max) const;
  std::optional<size_t> chosen(std::string_view key,
                               const std::vector<std::string_view>& names) const;

  YAML::Node node_;
  std::string path_;
  std::vector<std::string_view> known_;
  bool any_key_ = false;
  ProblemList* problems_ = nullptr;
  std::vector<std::string> order_;
  std::map<std::string, YAML::Node, std::less<>> values_;
};

// Where something stands behind the first document of a text: a second one, or a stray comma.
// YAML::LoadAll must not be asked: on a stray comma version 0.7 makes empty documents for ever.
std::optional<YAML::Mark> find_second_document(const std::string& text);

// "a list", "a mapping", "the text 'x'", "nothing".
std::string describe(const YAML::Node& node);

}  // namespace kvorum::server
