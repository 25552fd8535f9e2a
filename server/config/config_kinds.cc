// SPDX-License-Identifier: Apache-2.0
#include "server/config/config_kinds.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <bit>
#include <charconv>

#include "cluster/ring/placement.h"

namespace kvorum::server {

Result<EngineType> parse_engine_type(std::string_view text) {
  if (text == "leveldb") return EngineType::kLevelDb;
  if (text == "memory") return EngineType::kMemory;
  if (text == "buffered") {
    return Status(Code::kInvalid,
                  "'buffered' is not available in this version; use leveldb or memory");
  }
  constexpr std::array<std::string_view, 2> kTypes{"leveldb", "memory"};
  return Status(Code::kInvalid, fmt::format("'{}' is unknown{}", text, suggestion(text, kTypes)));
}

void FlagKind::read(const ConfigSection& section, std::string_view key, bool& value) const {
  section.flag(key, value);
}

ShownValue FlagKind::shown(bool value) const { return ShownValue::word(value ? "true" : "false"); }

void TextKind::read(const ConfigSection& section, std::string_view key, std::string& value) const {
  section.text(key, value);
}

void NameKind::read(const ConfigSection& section, std::string_view key, std::string& value) const {
  section.name(key, value);
}

void AddressKind::read(const ConfigSection& section, std::string_view key,
                       cluster::Endpoint& value) const {
  section.endpoint(key, value);
}

void SecretsKind::read(const ConfigSection& section, std::string_view key,
                       std::vector<std::string>& values) const {
  section.texts(key, values);
}

ShownValue SecretsKind::shown(const std::vector<std::string>& values) const {
  constexpr std::string_view kMask = "********";
  if (values.size() <= 1) return ShownValue::text(values.empty() ? "" : kMask);
  return ShownValue::list(std::vector(values.size(), ShownValue::text(kMask)), true);
}

void HostsKind::read(const ConfigSection& section, std::string_view key,
                     std::vector<std::string>& names) const {
  if (!section.has(key)) return;
  const YAML::Node list = section.child(key);
  if (!list.IsSequence()) {
    section.problem(key, fmt::format("a list of names is wanted, not {}", describe(list)));
    return;
  }
  for (const YAML::Node& entry : list) {
    const bool is_name = entry.IsScalar() && !entry.Scalar().empty() &&
                         entry.Scalar().find_first_of("[]: \t/@") == std::string::npos;
    if (is_name) {
      names.push_back(entry.Scalar());
    } else {
      section.problems()->add(entry.Mark(), fmt::format("{}: a host name without a port is wanted",
                                                        section.path_of(key)));
    }
  }
}

ShownValue HostsKind::shown(const std::vector<std::string>& names) const {
  if (names.empty()) return {};
  std::vector<ShownValue> entries;
  for (const std::string& name : names) entries.push_back(ShownValue::text(name));
  return ShownValue::list(std::move(entries));
}

void ReactorsKind::read(const ConfigSection& section, std::string_view key, uint32_t& value) const {
  const auto read = section.scalar(key, "auto or a number");
  if (!read || *read == "auto") return;
  if (read->find_first_not_of("-0123456789") != std::string::npos) {
    section.problem(key, fmt::format("'{}' is neither auto nor a whole number", *read));
  } else {
    section.number<uint32_t>(key, {1, max}, value);
  }
}

ShownValue ReactorsKind::shown(uint32_t value) const {
  return ShownValue::word(value == 0 ? "auto" : std::to_string(value));
}

void PartitionsKind::read(const ConfigSection& section, std::string_view key,
                          uint32_t& value) const {
  uint32_t read = value;
  section.number<uint32_t>(key, {1, cluster::kPartitionsMax}, read);
  if (std::has_single_bit(read)) {
    value = read;
    return;
  }
  section.problem(key, fmt::format("{} is not a power of two; the nearest are {} and {}", read,
                                   std::bit_floor(read), std::bit_ceil(read)));
}

void EngineTypeKind::read(const ConfigSection& section, std::string_view key,
                          EngineType& value) const {
  const auto read = section.scalar(key, "one of leveldb, memory");
  if (!read) return;
  const auto parsed = parse_engine_type(*read);
  if (parsed.ok()) {
    value = parsed.value();
  } else {
    section.problem(key, parsed.status().message());
  }
}

void SocketPathKind::read(const ConfigSection& section, std::string_view key,
                          std::string& value) const {
  const auto read = section.scalar(key, "a path");
  if (!read) return;
  constexpr size_t kBytesMax = sizeof(sockaddr_un{}.sun_path) - 1;
  if (read->size() > kBytesMax) {
    section.problem(key, fmt::format("'{}' is longer than the {} bytes that the path of a socket "
                                     "may have",
                                     *read, kBytesMax));
  } else {
    value = *read;
  }
}

void FileModeKind::read(const ConfigSection& section, std::string_view key, uint32_t& value) const {
  const auto read = section.scalar(key, "octal digits");
  if (!read) return;
  uint32_t mode = 0;
  const auto [end, error] = std::from_chars(read->data(), read->data() + read->size(), mode, 8);
  if (error != std::errc() || end != read->data() + read->size() || mode > 0777) {
    section.problem(
        key, fmt::format("'{}' is no mode of a file; write octal digits, as in 0770", *read));
  } else {
    value = mode;
  }
}

ShownValue FileModeKind::shown(uint32_t value) const {
  return value == 0 ? ShownValue() : ShownValue::word(fmt::format("0{:o}", value));
}

}  // namespace kvorum::server
