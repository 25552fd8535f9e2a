// SPDX-License-Identifier: Apache-2.0
#include "server/config/shown_value.h"

#include <yaml-cpp/yaml.h>

#include <utility>

namespace kvorum::server {
namespace {

void write(YAML::Emitter& out, const ShownValue& value) {
  switch (value.kind) {
    case ShownValue::Kind::kAbsent:
      out << YAML::Null;
      break;
    case ShownValue::Kind::kWord:
      out << value.letters;
      break;
    case ShownValue::Kind::kText:
      out << YAML::DoubleQuoted << value.letters;
      break;
    case ShownValue::Kind::kList:
      out << (value.on_one_line ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
      for (const ShownValue& entry : value.values) write(out, entry);
      out << YAML::EndSeq;
      break;
    case ShownValue::Kind::kMap:
      out << (value.on_one_line ? YAML::Flow : YAML::Block) << YAML::BeginMap;
      for (size_t i = 0; i < value.names.size(); ++i) {
        out << YAML::Key;
        write(out, value.names[i]);
        out << YAML::Value;
        write(out, value.values[i]);
      }
      out << YAML::EndMap;
      break;
  }
}

}  // namespace

ShownValue ShownValue::word(std::string_view text) {
  ShownValue value;
  value.kind = Kind::kWord;
  value.letters = text;
  return value;
}

ShownValue ShownValue::text(std::string_view text) {
  ShownValue value;
  value.kind = Kind::kText;
  value.letters = text;
  return value;
}

ShownValue ShownValue::list(std::vector<ShownValue> values, bool on_one_line) {
  ShownValue value;
  value.kind = Kind::kList;
  value.values = std::move(values);
  value.on_one_line = on_one_line;
  return value;
}

ShownValue ShownValue::map(bool on_one_line) {
  ShownValue value;
  value.kind = Kind::kMap;
  value.on_one_line = on_one_line;
  return value;
}

void ShownValue::add(ShownValue name, ShownValue value) {
  if (value.is_absent()) return;
  names.push_back(std::move(name));
  values.push_back(std::move(value));
}

std::string yaml_text(const ShownValue& value) {
  YAML::Emitter out;
  write(out, value);
  return {out.c_str(), out.size()};
}

void add_texts_by_path(const std::string& path, const ShownValue& value,
                       std::map<std::string, std::string>* texts) {
  if (value.is_absent()) return;
  if (value.values.empty() || value.on_one_line) {
    texts->emplace(path, yaml_text(value));
    return;
  }
  for (size_t i = 0; i < value.values.size(); ++i) {
    const std::string name = value.names.empty() ? std::to_string(i) : value.names[i].letters;
    add_texts_by_path(path + "." + name, value.values[i], texts);
  }
}

}  // namespace kvorum::server
