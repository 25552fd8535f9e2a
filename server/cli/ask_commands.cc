// SPDX-License-Identifier: Apache-2.0
#include "server/cli/ask_commands.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <functional>
#include <vector>

#include "server/admin/http.h"
#include "server/cli/command_line.h"
#include "server/status/aligned.h"
#include "server/status/status_json.h"

namespace kvorum::server {
namespace {

namespace json = boost::json;

using Row = TableRow;

Status not_understood() {
  return Status(Code::kInvalid, "the answer is no document of this version of kvorum");
}

// The object in a document; null where it is none.
Result<json::object> parse_object(const std::string& document) {
  boost::system::error_code error;
  json::value value = json::parse(document, error);
  if (error || !value.is_object()) return not_understood();
  return std::move(value.as_object());
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(json::string_view(name.data(), name.size()));
  if (value == nullptr) return "";
  if (value->is_string()) return std::string(value->as_string());
  return json::serialize(*value);
}

const json::array& array_of(const json::object& object, std::string_view name) {
  static const json::array kNone;
  const json::value* const value = object.if_contains(json::string_view(name.data(), name.size()));
  return value != nullptr && value->is_array() ? value->as_array() : kNone;
}

uint64_t number_of(const json::object& object, std::string_view name) {
  const json::value* const value = object.if_contains(json::string_view(name.data(), name.size()));
  return value != nullptr && value->is_int64() ? static_cast<uint64_t>(value->as_int64()) : 0;
}

// The two largest units: 3m12s.
std::string duration_of(uint64_t seconds) {
  if (seconds >= 86400) return fmt::format("{}d{}h", seconds / 86400, seconds / 3600 % 24);
  if (seconds >= 3600) return fmt::format("{}h{}m", seconds / 3600, seconds / 60 % 60);
  if (seconds >= 60) return fmt::format("{}m{}s", seconds / 60, seconds % 60);
  return fmt::format("{}s", seconds);
}

uint64_t sum_of(const json::array& numbers) {
  uint64_t sum = 0;
  for (const json::value& number : numbers) {
    sum += number.is_int64() ? static_cast<uint64_t>(number.as_int64()) : 0;
  }
  return sum;
}

std::string joined(const json::array& names) {
  std::string out;
  for (const json::value& name : names) {
    if (!out.empty()) out += ", ";
    out += name.is_string() ? std::string(name.as_string()) : json::serialize(name);
  }
  return out.empty() ? "none" : out;
}

// Asks, and prints the table of the answer.
int show(const std::string& admin_address, const std::string& target,
         const std::function<Result<std::string>(const std::string& document)>& table) {
  const auto endpoint = cluster::Endpoint::parse(admin_address);
  if (!endpoint.ok()) {
    fmt::print(stderr, "kvorum: --admin {}: {}\n", admin_address, endpoint.status().message());
    return kExitUsage;
  }
  const auto answer = http_get(endpoint.value(), target);
  if (!answer.ok()) {
    fmt::print(stderr, "kvorum: {}\n", answer.status().message());
    return kExitFailed;
  }
  const auto shown = table(answer.value().body);
  if (answer.value().status != 200 || !shown.ok()) {
    fmt::print(stderr, "kvorum: {} answered {}: {}\n", admin_address, answer.value().status,
               answer.value().status != 200 ? answer.value().body : shown.status().message());
    return kExitFailed;
  }
  fmt::print("{}", shown.value());
  return kExitFine;
}

// The reasons, one a line; the answer itself where it is no list.
std::string health_text(const std::string& answer) {
  boost::system::error_code error;
  const json::value value = json::parse(answer, error);
  if (error || !value.is_array()) return answer;
  std::string lines;
  for (const json::value& reason : value.as_array()) {
    lines += "not ready: ";
    lines += reason.is_string() ? std::string(reason.as_string()) : json::serialize(reason);
    lines += "\n";
  }
  return lines;
}

}  // namespace

int show_status(const std::string& admin_address) {
  int exit_status = kExitFine;
  const auto table = [&](const std::string& document) {
    exit_status = status_exit(document);
    return status_table(document);
  };
  return show(admin_address, "/api/v1/status", table) == kExitFine ? exit_status : kExitUnreachable;
}

int show_health(const std::string& admin_address) {
  const auto endpoint = cluster::Endpoint::parse(admin_address);
  const auto answer = endpoint.ok() ? http_get(endpoint.value(), "/readyz") : endpoint.status();
  if (!answer.ok()) {
    fmt::print(stderr, "kvorum: --admin {}: {}\n", admin_address, answer.status().message());
    return kExitFailed;
  }
  const bool ready = answer.value().status == 200;
  fmt::print(ready ? stdout : stderr, "{}", ready ? "ready\n" : health_text(answer.value().body));
  return ready ? kExitFine : kExitFailed;
}

int show_hints(const std::string& admin_address) {
  return show(admin_address, "/api/v1/hints", &hints_table);
}

int show_ring(const std::string& admin_address, const std::string& key, int database) {
  if (key.empty()) return show(admin_address, "/api/v1/ring", &ring_table);
  return show(admin_address, fmt::format("/api/v1/ring?key={}&db={}", query_escaped(key), database),
              &key_table);
}

// Deleted keys that are not forgotten yet, and why.
std::string reaping_line(const json::object& status) {
  const json::value* const found = status.if_contains("reaping");
  if (found == nullptr || !found->is_object()) return {};
  const json::object& reaping = found->as_object();
  std::string line = fmt::format("{} tombstones", text_of(reaping, "tombstones"));
  const std::string waits = text_of(reaping, "waits");
  if (!waits.empty()) line += ", kept while " + waits;
  const std::string quarantined = text_of(reaping, "quarantined");
  if (quarantined != "0") line += fmt::format("; {} versions in quarantine", quarantined);
  return line + "\n";
}

// Why writes find no memory.
std::string eviction_line(const json::object& status) {
  const json::value* const found = status.if_contains("process");
  if (found == nullptr || !found->is_object()) return {};
  const std::string waits = text_of(found->as_object(), "eviction_waits");
  return waits.empty() ? waits : waits + "\n";
}

// What is between the parse and the last byte sent, and who holds the most of it.
std::string in_flight_line(const json::object& status) {
  const json::value* const found = status.if_contains("in_flight");
  if (found == nullptr || !found->is_object()) return {};
  const json::object& in_flight = found->as_object();
  std::string line = fmt::format("{} of {} bytes in flight", text_of(in_flight, "bytes"),
                                 text_of(in_flight, "max"));
  const char* separator = "; the most: ";
  for (const json::value& value : array_of(in_flight, "largest")) {
    if (!value.is_object()) continue;
    const json::object& holder = value.as_object();
    line += fmt::format("{}{} {}", separator, text_of(holder, "who"), text_of(holder, "bytes"));
    separator = ", ";
  }
  const std::string closed = text_of(in_flight, "clients_output_closed");
  if (closed != "0") line += fmt::format("; {} clients were closed: they took no replies", closed);
  return line + "\n";
}

// Members that are not up, and why.
std::string reason_lines(const json::object& status) {
  std::string lines;
  for (const json::value& value : array_of(status, "members")) {
    const json::object& member = value.as_object();
    const std::string reason = text_of(member, "reason");
    if (!reason.empty()) lines += fmt::format("{}: {}\n", text_of(member, "name"), reason);
  }
  return lines;
}

// Each with what follows from it and what to do.
std::string problem_lines(const json::object& status, uint64_t now_ms) {
  std::string lines;
  for (const json::value& value : array_of(status, "problems")) {
    const json::object& problem = value.as_object();
    const uint64_t since_ms = number_of(problem, "since_ms");
    const uint64_t age_s = now_ms > since_ms ? (now_ms - since_ms) / 1000 : 0;
    lines +=
        fmt::format("\nproblem: {} (for {})\n   so: {}\n next: {}\n", text_of(problem, "what"),
                    duration_of(age_s), text_of(problem, "consequence"), text_of(problem, "next"));
  }
  return lines;
}

std::string far_ahead_line(const json::object& status) {
  const uint64_t far = number_of(status, "clocks_far_ahead");
  if (far == 0) return {};
  return fmt::format("{} clock readings from elsewhere were too far ahead\n", far);
}

std::string clock_cell(const json::object& member) {
  const json::value* const offset = member.if_contains("clock_offset_ms");
  if (offset == nullptr || !offset->is_int64()) return "-";
  return fmt::format("{:+} ms", offset->as_int64());
}

// Hints, repair, scrub and reaping, where clients slow them down.
std::string background_line(const json::object& status) {
  const json::value* const found = status.if_contains("background");
  if (found == nullptr || !found->is_object()) return {};
  const std::string waits = text_of(found->as_object(), "waits");
  return waits.empty() ? waits : fmt::format("background work: {}\n", waits);
}

// What went wrong with the disk since the start; nothing where all is well.
std::string storage_line(const json::object& store) {
  const json::value* const found = store.if_contains("faults");
  if (found == nullptr || !found->is_object()) return {};
  const json::object& faults = found->as_object();
  const std::string total = text_of(faults, "total"), salvages = text_of(faults, "salvages");
  if (total == "0" && salvages == "0") return {};
  std::string line = fmt::format("{} storage faults:", total);
  for (const char* kind : {"damage", "lost", "disk_full", "sync", "write", "read"}) {
    const std::string count = text_of(faults, kind);
    if (count != "0") line += fmt::format(" {} {}", kind, count);
  }
  if (salvages != "0") line += fmt::format("; damaged stores salvaged: {}", salvages);
  const std::string missing = text_of(store, "copies_not_whole");
  if (missing != "0") line += fmt::format("; {} copies are not whole yet", missing);
  return line + "\n";
}

std::string configuration_line(const json::object& status) {
  if (text_of(status, "copies_follow") != "true") return {};
  return "copies follow a changed configuration; reads ask those who held them before, too\n";
}

Result<std::string> status_table(const std::string& status_document) {
  const auto parsed = parse_object(status_document);
  if (!parsed.ok()) return parsed.status();
  const json::object& status = parsed.value();
  std::vector<Row> rows = {{"MEMBER", "PEER", "STATE", "REDIS", "PARTITIONS", "HINTS", "CLOCK"}};
  for (const json::value& value : array_of(status, "members")) {
    if (!value.is_object()) return not_understood();
    const json::object& member = value.as_object();
    const bool self = text_of(member, "self") == "true";
    rows.push_back({text_of(member, "name"), text_of(member, "peer"),
                    text_of(member, "state") + (self ? " (asked)" : ""), text_of(member, "redis"),
                    text_of(member, "partitions"), text_of(member, "hints_pending"),
                    clock_cell(member)});
  }
  if (rows.size() == 1) return not_understood();
  std::string out =
      fmt::format("cluster {}: {}, {} members, {} partitions\n\n", text_of(status, "cluster"),
                  text_of(status, "state"), rows.size() - 1, text_of(status, "partitions"));
  out += aligned(rows) + reason_lines(status) + far_ahead_line(status);
  const json::value* const store = status.if_contains("store");
  const bool failed =
      store != nullptr && store->is_object() && text_of(store->as_object(), "failed") == "true";
  out += fmt::format(
      "\nnode {} holds {} keys, {} hints, {} transfers{}\n", text_of(status, "name"),
      sum_of(array_of(status, "keys")), text_of(status, "hints_pending"),
      text_of(status, "transfers_active"),
      failed ? "; its store refuses writes: " + text_of(store->as_object(), "error") : "");
  if (store != nullptr && store->is_object()) out += storage_line(store->as_object());
  out += in_flight_line(status) + configuration_line(status) + reaping_line(status) +
         eviction_line(status) + background_line(status);
  if (text_of(status, "waiting") == "true") out += "it waits to be admitted to the cluster\n";
  return out + problem_lines(status, number_of(status, "now_ms"));
}

Result<std::string> hints_table(const std::string& hints_document) {
  const auto parsed = parse_object(hints_document);
  if (!parsed.ok()) return parsed.status();
  const json::object& hints = parsed.value();
  if (!hints.contains("targets")) return not_understood();
  std::vector<Row> rows = {
      {"TARGET", "HINTS", "BYTES", "OLDEST", "DELIVERED", "BYTES/S", "LEFT", "REASON"}};
  for (const json::value& value : array_of(hints, "targets")) {
    if (!value.is_object()) return not_understood();
    const json::object& target = value.as_object();
    const bool known = target.contains("seconds_left") && number_of(target, "count") != 0;
    rows.push_back(
        {text_of(target, "target"), text_of(target, "count"), text_of(target, "bytes"),
         number_of(target, "count") == 0 ? "-" : duration_of(number_of(target, "oldest_ms") / 1000),
         text_of(target, "delivered"), text_of(target, "bytes_per_second"),
         known ? duration_of(number_of(target, "seconds_left")) : "-", text_of(target, "reason")});
  }
  return aligned(rows) + fmt::format("\nnode {} keeps {} hints in {} of {} bytes, has refused {}\n",
                                     text_of(hints, "node"), text_of(hints, "count"),
                                     text_of(hints, "bytes"), text_of(hints, "bytes_max"),
                                     text_of(hints, "refused"));
}

Result<std::string> ring_table(const std::string& ring_document) {
  const auto parsed = parse_object(ring_document);
  if (!parsed.ok()) return parsed.status();
  const json::object& ring = parsed.value();
  std::vector<Row> rows = {{"MEMBER", "PARTITIONS", "WEIGHT", "RACK", "ZONE"}};
  for (const json::value& value : array_of(ring, "members")) {
    if (!value.is_object()) return not_understood();
    const json::object& member = value.as_object();
    rows.push_back({text_of(member, "name"), text_of(member, "partitions"),
                    text_of(member, "weight"), text_of(member, "rack"), text_of(member, "zone")});
  }
  if (rows.size() == 1) return not_understood();
  return fmt::format("cluster {} ({}): {} partitions by {}, placement {}\n\n",
                     text_of(ring, "cluster"), text_of(ring, "cluster_id"),
                     text_of(ring, "partitions"), text_of(ring, "partitioner"),
                     text_of(ring, "placement")) +
         aligned(rows);
}

Result<std::string> key_table(const std::string& key_document) {
  const auto parsed = parse_object(key_document);
  if (!parsed.ok()) return parsed.status();
  const json::object& key = parsed.value();
  if (!key.contains("primaries")) return not_understood();
  return aligned({{"position", text_of(key, "position")},
                  {"partition", text_of(key, "partition")},
                  {"primaries", joined(array_of(key, "primaries"))},
                  {"fallbacks", joined(array_of(key, "fallbacks"))}});
}

int status_exit(const std::string& status_document) {
  const auto parsed = parse_object(status_document);
  if (!parsed.ok()) return kExitFailed;
  const json::object& status = parsed.value();
  const std::string state = text_of(status, "state");
  if (text_of(status, "ready") == "false") return kExitFailed;
  if (state == "moving") return array_of(status, "problems").empty() ? kExitFine : kExitFailed;
  return state == "settled" ? kExitFine : kExitFailed;
}

std::string state_of(const std::string& status_document) {
  const auto parsed = parse_object(status_document);
  return parsed.ok() ? text_of(parsed.value(), "state") : "";
}

}  // namespace kvorum::server
