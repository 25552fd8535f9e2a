// SPDX-License-Identifier: Apache-2.0
// The kinds of values that a key of the configuration may have: how each is read and what is wrong
// with it, and how it is shown. A kind is a constant of a row (config_row.h): read(section, key,
// value) leaves the value alone where the key is absent or wrong, shown(value) is what `kvorum
// config show` prints. kSecret: the value is never shown. kMayBeLeftOut: nothing is shown where
// nothing was given.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "server/config/config.h"
#include "server/config/config_reader.h"
#include "server/config/config_values.h"
#include "server/config/shown_value.h"

namespace kvorum::server {

inline constexpr std::array<NamedValue<EngineType>, 2> kEngineTypes{
    {{"leveldb", EngineType::kLevelDb}, {"memory", EngineType::kMemory}}};
// Redis's names, then short ones for some of them.
inline constexpr std::array<NamedValue<engine::EvictionPolicy>, 13> kEvictions{
    {{"noeviction", engine::EvictionPolicy::kNone},
     {"allkeys-lru", engine::EvictionPolicy::kAllLru},
     {"allkeys-lfu", engine::EvictionPolicy::kAllLfu},
     {"allkeys-random", engine::EvictionPolicy::kAllRandom},
     {"volatile-lru", engine::EvictionPolicy::kExpiringLru},
     {"volatile-lfu", engine::EvictionPolicy::kExpiringLfu},
     {"volatile-random", engine::EvictionPolicy::kExpiringRandom},
     {"volatile-ttl", engine::EvictionPolicy::kExpiringSoonest},
     {"none", engine::EvictionPolicy::kNone},
     {"lru", engine::EvictionPolicy::kAllLru},
     {"lfu", engine::EvictionPolicy::kAllLfu},
     {"random", engine::EvictionPolicy::kAllRandom},
     {"ttl", engine::EvictionPolicy::kExpiringSoonest}}};
inline constexpr std::array<NamedValue<engine::SyncPolicy>, 4> kSyncPolicies{
    {{"always", engine::SyncPolicy::kAlways},
     {"interval", engine::SyncPolicy::kInterval},
     {"never", engine::SyncPolicy::kNever},
     {"buffered", engine::SyncPolicy::kBuffered}}};
inline constexpr std::array<NamedValue<LogLevel>, 5> kLogLevels{{{"trace", LogLevel::kTrace},
                                                                 {"debug", LogLevel::kDebug},
                                                                 {"info", LogLevel::kInfo},
                                                                 {"warn", LogLevel::kWarn},
                                                                 {"error", LogLevel::kError}}};
inline constexpr std::array<NamedValue<LogFormat>, 2> kLogFormats{
    {{"text", LogFormat::kText}, {"json", LogFormat::kJson}}};
inline constexpr std::array<NamedValue<DebugAccess>, 3> kDebugAccesses{
    {{"no", DebugAccess::kNobody},
     {"local", DebugAccess::kLocal},
     {"yes", DebugAccess::kEverybody}}};
inline constexpr std::array<NamedValue<Partitioner>, 2> kPartitioners{
    {{"md5", Partitioner::kMd5}, {"slots", Partitioner::kSlots}}};

template <class Names, class Value>
std::string_view name_of(const Names& names, Value value) {
  for (const auto& named : names) {
    if (named.value == value) return named.name;
  }
  return "";
}

// By any of its names; null where it is none.
inline const NamedValue<engine::EvictionPolicy>* find_eviction(std::string_view name) {
  for (const auto& named : kEvictions) {
    if (named.name == name) return &named;
  }
  return nullptr;
}

// Of the file and of the option --engine.
Result<EngineType> parse_engine_type(std::string_view text);

template <class Number>
struct NumberKind {
  Number min, max;

  void read(const ConfigSection& section, std::string_view key, Number& value) const {
    section.number<Number>(key, {min, max}, value);
  }
  ShownValue shown(Number value) const { return ShownValue::word(std::to_string(value)); }
};

struct DurationKind {
  int64_t min_ms, max_ms;

  template <class Milliseconds>
  void read(const ConfigSection& section, std::string_view key, Milliseconds& value) const {
    section.duration(key, {min_ms, max_ms}, value);
  }
  template <class Milliseconds>
  ShownValue shown(Milliseconds value) const {
    return ShownValue::word(duration_text(static_cast<int64_t>(value)));
  }
};

struct SizeKind {
  uint64_t min, max;

  void read(const ConfigSection& section, std::string_view key, uint64_t& value) const {
    section.size(key, {min, max}, value);
  }
  ShownValue shown(uint64_t value) const { return ShownValue::word(size_text(value)); }
};

// One of an array of NamedValue.
template <const auto& kNames>
struct ChoiceKind {
  template <class Value>
  void read(const ConfigSection& section, std::string_view key, Value& value) const {
    section.choice<Value>(key, kNames, value);
  }
  template <class Value>
  ShownValue shown(Value value) const {
    return ShownValue::word(name_of(kNames, value));
  }
};

struct FlagKind {
  void read(const ConfigSection& section, std::string_view key, bool& value) const;
  ShownValue shown(bool value) const;
};

struct TextKind {
  void read(const ConfigSection& section, std::string_view key, std::string& value) const;
  ShownValue shown(const std::string& value) const { return ShownValue::text(value); }
};

// Text of is_plain_name.
struct NameKind {
  void read(const ConfigSection& section, std::string_view key, std::string& value) const;
  ShownValue shown(const std::string& value) const { return ShownValue::text(value); }
};

struct AddressKind {
  void read(const ConfigSection& section, std::string_view key, cluster::Endpoint& value) const;
  ShownValue shown(const cluster::Endpoint& value) const {
    return ShownValue::text(value.to_text());
  }
};

template <class Kind>
struct OptionalKind {
  static constexpr bool kMayBeLeftOut = true;

  template <class Value>
  void read(const ConfigSection& section, std::string_view key, Value& value) const {
    Kind().read(section, key, value);
  }
  template <class Value>
  ShownValue shown(const Value& value) const {
    return value.empty() ? ShownValue() : Kind().shown(value);
  }
};

// One or several; how many there are is no secret.
struct SecretsKind {
  static constexpr bool kSecret = true;

  void read(const ConfigSection& section, std::string_view key,
            std::vector<std::string>& values) const;
  ShownValue shown(const std::vector<std::string>& values) const;
};

// Names for the Host header of HTTP.
struct HostsKind {
  static constexpr bool kMayBeLeftOut = true;

  void read(const ConfigSection& section, std::string_view key,
            std::vector<std::string>& names) const;
  ShownValue shown(const std::vector<std::string>& names) const;
};

// A number of threads, 0 for auto.
struct ReactorsKind {
  uint32_t max;

  void read(const ConfigSection& section, std::string_view key, uint32_t& value) const;
  ShownValue shown(uint32_t value) const;
};

// A power of two.
struct PartitionsKind {
  void read(const ConfigSection& section, std::string_view key, uint32_t& value) const;
  ShownValue shown(uint32_t value) const { return ShownValue::word(std::to_string(value)); }
};

struct EngineTypeKind {
  void read(const ConfigSection& section, std::string_view key, EngineType& value) const;
  ShownValue shown(EngineType value) const {
    return ShownValue::word(name_of(kEngineTypes, value));
  }
};

// The path of a Unix socket.
struct SocketPathKind {
  void read(const ConfigSection& section, std::string_view key, std::string& value) const;
  ShownValue shown(const std::string& value) const { return ShownValue::text(value); }
};

// Of a file, in octal digits: 0770.
struct FileModeKind {
  static constexpr bool kMayBeLeftOut = true;

  void read(const ConfigSection& section, std::string_view key, uint32_t& value) const;
  ShownValue shown(uint32_t value) const;
};

}  // namespace kvorum::server
