// SPDX-License-Identifier: Apache-2.0
// Parameters of Redis that have no meaning here: how it encodes values, copies itself to replicas,
// saves, defragments. Tools and libraries set some of them at a start and expect to read them back,
// so CONFIG SET takes and CONFIG GET shows them; nothing else happens. In memory alone, one set of
// a node. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/mutex.h"

namespace kvorum::server {

// What values of a parameter look like.
enum class SettingKind : uint8_t {
  kSwitch,
  kInteger,
  kBytes,
  kShare,       // a size, or a part of another one: "5%"
  kSavePoints,  // pairs of numbers: "3600 1 300 100"
  kText
};

struct IdleSetting {
  std::string_view name;
  SettingKind kind;
  std::string_view usual;  // Redis's value where nobody set one
  int64_t least = 0, most = INT64_MAX;
  bool hidden = false;  // shown to who gives its name, not to patterns
};

// In the order of their names.
std::span<const IdleSetting> idle_settings();
// In any case of letters, also by an older name; null where it is none of them.
const IdleSetting* find_idle_setting(std::string_view name);

// Why the value cannot be the parameter's, in Redis's words; empty where it can. `shown`: how
// Redis shows it, a size in bytes.
std::string setting_problem(const IdleSetting& setting, std::string_view value, std::string* shown);

// A size: "64", "64b", "64k" (a thousand each), "64kb" (1024 each) and so on.
std::optional<int64_t> read_setting_bytes(std::string_view text);

class IdleSettings {
 public:
  std::string value(const IdleSetting& setting) const;
  void set(const IdleSetting& setting, std::string shown);

 private:
  mutable Mutex mutex_;
  std::map<std::string_view, std::string> changed_ KVORUM_GUARDED_BY(mutex_);
};

}  // namespace kvorum::server
