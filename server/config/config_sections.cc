// SPDX-License-Identifier: Apache-2.0
#include "server/config/config_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "server/config/config_values.h"

namespace kvorum::server {
namespace {

constexpr int64_t kSecondMs = 1000, kHourMs = 3600 * kSecondMs;
constexpr uint32_t kReactorsMax = 256, kClientsMax = 1'000'000, kSiblingsMax = 10'000;

}  // namespace

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

void read_engine(const ConfigSection& top, EngineConfig& engine) {
  const ConfigSection section = top.section("engine", {"type", "sync", "memory", "eviction"});
  if (const auto type = section.scalar("type", "one of leveldb, memory")) {
    const auto parsed = parse_engine_type(*type);
    if (parsed.ok()) {
      engine.type = parsed.value();
    } else {
      section.problem("type", parsed.status().message());
    }
  }
  section.choice<engine::SyncPolicy>("sync",
                                     {{"always", engine::SyncPolicy::kAlways},
                                      {"interval", engine::SyncPolicy::kInterval},
                                      {"never", engine::SyncPolicy::kNever}},
                                     engine.sync);
  section.size("memory", {1ULL << 20, 1ULL << 50}, engine.memory_bytes);
  const auto eviction = section.scalar("eviction", "none or lru");
  if (!eviction || *eviction == "none") return;
  constexpr std::array<std::string_view, 4> kKinds{"none", "lru", "lfu", "ttl"};
  if (*eviction == "lru") {
    engine.eviction = Eviction::kLru;
  } else if (std::find(kKinds.begin(), kKinds.end(), *eviction) != kKinds.end()) {
    section.problem(
        "eviction",
        fmt::format("'{}' is not available in this version; use none or lru", *eviction));
  } else {
    section.problem("eviction",
                    fmt::format("'{}' is unknown{}", *eviction, suggestion(*eviction, kKinds)));
  }
}

void read_reactors(const ConfigSection& top, uint32_t& reactors) {
  const auto read = top.scalar("reactors", "auto or a number");
  if (!read || *read == "auto") return;
  if (read->find_first_not_of("-0123456789") != std::string::npos) {
    top.problem("reactors", fmt::format("'{}' is neither auto nor a whole number", *read));
  } else {
    top.number<uint32_t>("reactors", {1, kReactorsMax}, reactors);
  }
}

// A limit of values is one of all words of a request: keys have to fit.
constexpr uint64_t kValueLimitLeast = 128 << 10;

void read_limits(const ConfigSection& top, LimitsConfig& limits) {
  const ConfigSection section =
      top.section("limits", {"clients", "request_timeout", "value", "value_warn", "pipeline_bytes",
                             "in_flight", "client_output", "client_output_wait", "siblings",
                             "clock_entries_max", "hints", "foreground_p99"});
  section.number<uint32_t>("clients", {1, kClientsMax}, limits.clients);
  section.duration("request_timeout", {1, kHourMs}, limits.request_timeout_ms);
  section.size("value", {kValueLimitLeast, kValueBytesMax}, limits.value_bytes);
  section.size("value_warn", {1, kValueBytesMax}, limits.value_warn_bytes);
  section.size("pipeline_bytes", {64 << 10, 16ULL << 30}, limits.pipeline_bytes);
  section.size("in_flight", {16 << 20, 1ULL << 40}, limits.in_flight_bytes);
  section.size("client_output", {64 << 10, 16ULL << 30}, limits.client_output_bytes);
  section.duration("client_output_wait", {kSecondMs, kHourMs}, limits.client_output_wait_ms);
  section.number<uint32_t>("siblings", {1, kSiblingsMax}, limits.siblings);
  // Fewer entries than copies would drop the clock of a replica that is in use.
  section.number<uint32_t>("clock_entries_max", {4, 1000}, limits.clock_entries_max);
  section.size("hints", {64 << 10, 1ULL << 50}, limits.hints_bytes);
  section.duration("foreground_p99", {0, 60 * kSecondMs}, limits.foreground_p99_ms);
}

void read_timing(const ConfigSection& top, TimingConfig& timing) {
  const ConfigSection section =
      top.section("timing", {"gossip", "hints", "anti_entropy", "read_repair_wait", "scrub"});
  const Range<int64_t> range{1, 24 * kHourMs};
  section.duration("gossip", range, timing.gossip_ms);
  section.duration("hints", range, timing.hints_ms);
  section.duration("anti_entropy", range, timing.anti_entropy_ms);
  section.duration("scrub", {1, 365 * 24 * kHourMs}, timing.scrub_ms);
  section.duration("read_repair_wait", {0, 60 * kSecondMs}, timing.read_repair_wait_ms);
}

void read_log(const ConfigSection& top, LogConfig& log) {
  const ConfigSection section = top.section("log", {"level", "format", "file"});
  section.choice<LogLevel>("level",
                           {{"trace", LogLevel::kTrace},
                            {"debug", LogLevel::kDebug},
                            {"info", LogLevel::kInfo},
                            {"warn", LogLevel::kWarn},
                            {"error", LogLevel::kError}},
                           log.level);
  section.choice<LogFormat>("format", {{"text", LogFormat::kText}, {"json", LogFormat::kJson}},
                            log.format);
  section.text("file", log.file);
}

void read_admin(const ConfigSection& top, ProblemList* problems, AdminConfig& admin) {
  const ConfigSection section = top.section("admin", {"hosts"});
  if (!section.has("hosts")) return;
  const YAML::Node list = section.child("hosts");
  if (!list.IsSequence()) {
    section.problem("hosts", fmt::format("a list of names is wanted, not {}", describe(list)));
    return;
  }
  for (const YAML::Node& entry : list) {
    const bool is_name = entry.IsScalar() && !entry.Scalar().empty() &&
                         entry.Scalar().find_first_of("[]: \t/@") == std::string::npos;
    if (is_name) {
      admin.hosts.push_back(entry.Scalar());
    } else {
      problems->add(entry.Mark(), "admin.hosts: a host name without a port is wanted");
    }
  }
}

}  // namespace kvorum::server
