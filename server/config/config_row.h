// SPDX-License-Identifier: Apache-2.0
// A row of a table of configuration keys: what a key is called, where its value stands in an
// object, and, by its kind (config_kinds.h), how it is read and shown. The tables are those of the
// file (config_keys.cc), of a member (config_members.cc) and of a keyspace (config_keyspaces.cc).
// Constants.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "server/config/config_reader.h"
#include "server/config/shown_value.h"

namespace kvorum::server {

enum class KeyChange : uint8_t {
  kRestart,  // a new value waits for a restart
  kLive,     // a node takes it while it runs (Node::reload)
};

template <class Owner>
struct ConfigRow {
  std::string_view path;  // limits.clients
  KeyChange change;
  bool is_secret;        // shown() masks it
  bool may_be_left_out;  // shown() says nothing where nothing was given
  void (*read)(const ConfigSection& section, std::string_view name, Owner& owner);
  ShownValue (*shown)(const Owner& owner);
  bool (*same)(const Owner& a, const Owner& b);
  void (*copy)(const Owner& from, Owner& to);

  // `limits` and `clients`; the section of a key of the top is empty.
  constexpr std::string_view section() const {
    const size_t dot = path.find('.');
    return dot == path.npos ? "" : path.substr(0, dot);
  }
  constexpr std::string_view name() const { return path.substr(path.rfind('.') + 1); }
};

namespace row {

template <class Pointer>
struct OwnerOf;
template <class Value, class Owner>
struct OwnerOf<Value Owner::*> {
  using Type = Owner;
};

template <auto kField, auto... kFields>
constexpr auto& field(auto& owner) {
  if constexpr (sizeof...(kFields) == 0) {
    return owner.*kField;
  } else {
    return field<kFields...>(owner.*kField);
  }
}

}  // namespace row

// Where the value stands: members of members, as &Config::limits, &LimitsConfig::clients.
template <auto kKind, auto kField, auto... kFields>
constexpr auto config_row(std::string_view path, KeyChange change = KeyChange::kRestart) {
  using Owner = typename row::OwnerOf<decltype(kField)>::Type;
  return ConfigRow<Owner>{path, change, requires {kKind.kSecret;
}
, requires { kKind.kMayBeLeftOut; }
,
    [](const ConfigSection& section, std::string_view name, Owner& owner) {
      kKind.read(section, name, row::field<kField, kFields...>(owner));
    },
    [](const Owner& owner) { return kKind.shown(row::field<kField, kFields...>(owner)); },
    [](const Owner& a, const Owner& b) {
      const auto& here = row::field<kField, kFields...>(a);
      const auto& there = row::field<kField, kFields...>(b);
      if constexpr (requires { kKind.kSecret; }) {
        return here == there;
      } else {
        return yaml_text(kKind.shown(here)) == yaml_text(kKind.shown(there));
      }
    },
    [](const Owner& from, Owner& to) {
      row::field<kField, kFields...>(to) = row::field<kField, kFields...>(from);
    },
};  // namespace kvorum::server
}

template <class Owner>
std::vector<std::string_view> names_of(std::span<const ConfigRow<Owner>> rows) {
  std::vector<std::string_view> names;
  for (const auto& one : rows) names.push_back(one.name());
  return names;
}

template <class Owner>
void read_rows(const ConfigSection& section, std::span<const ConfigRow<Owner>> rows, Owner& owner) {
  for (const auto& one : rows) one.read(section, one.name(), owner);
}

template <class Owner>
void show_rows(std::span<const ConfigRow<Owner>> rows, const Owner& owner, ShownValue* map) {
  for (const auto& one : rows) map->add(ShownValue::word(one.name()), one.shown(owner));
}

}  // namespace kvorum::server
