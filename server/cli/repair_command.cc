// SPDX-License-Identifier: Apache-2.0
#include "server/cli/repair_command.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <thread>

#include "server/admin/http.h"
#include "server/cli/command_line.h"

namespace kvorum::server {
namespace {

namespace json = boost::json;

constexpr auto kLook = std::chrono::milliseconds(200);

double number_of(const json::object& object, const char* name) {
  const json::value* const value = object.if_contains(name);
  if (value == nullptr || !value->is_number()) return 0;
  return value->to_number<double>();
}

int fail(const std::string& text) {
  fmt::print(stderr, "kvorum: {}\n", text);
  return kExitFailed;
}

}  // namespace

Result<RepairLine> repair_line(const std::string& repair_document) {
  boost::system::error_code error;
  const json::value value = json::parse(repair_document, error);
  const json::object* const repair = error ? nullptr : value.if_object();
  const json::value* const active = repair ? repair->if_contains("active") : nullptr;
  if (active == nullptr || !active->is_bool()) {
    return Status(Code::kInvalid, "the answer is no document of this version of kvorum");
  }
  RepairLine line;
  line.active = active->as_bool();
  const double done = number_of(*repair, "partitions_done");
  const double all = done + number_of(*repair, "partitions_left");
  line.text =
      fmt::format("{:.0f} % ({:.0f} of {:.0f} comparisons), {:.0f} keys repaired",
                  number_of(*repair, "percent"), done, all, number_of(*repair, "keys_repaired"));
  if (line.active) {
    line.text +=
        fmt::format(", {:.0f} keys/s, about {:.0f} s left", number_of(*repair, "keys_per_second"),
                    number_of(*repair, "seconds_left"));
  }
  const json::value* const waits = repair->if_contains("waits");
  if (waits != nullptr && waits->is_string() && !waits->as_string().empty()) {
    line.text += fmt::format("; waits: {}", std::string_view(waits->as_string()));
  }
  return line;
}

int run_repair(const std::string& admin_address, const RepairCommand& command) {
  const auto endpoint = cluster::Endpoint::parse(admin_address);
  if (!endpoint.ok()) {
    fmt::print(stderr, "kvorum: --admin {}: {}\n", admin_address, endpoint.status().message());
    return kExitUsage;
  }
  std::string target = "/api/v1/repair?";
  if (command.keyspace >= 0) target += fmt::format("keyspace={}&", command.keyspace);
  if (command.partition >= 0) target += fmt::format("partition={}&", command.partition);
  target.pop_back();
  const auto begun = http_post(endpoint.value(), target);
  if (!begun.ok()) return fail(begun.status().message());
  if (begun.value().status != 202) return fail(begun.value().body);
  for (;;) {
    std::this_thread::sleep_for(kLook);
    const auto answer = http_get(endpoint.value(), "/api/v1/repair");
    if (!answer.ok()) return fail(answer.status().message());
    const auto line = repair_line(answer.value().body);
    if (!line.ok()) return fail(line.status().message());
    fmt::print("{}\n", line.value().text);
    std::fflush(stdout);
    if (!line.value().active) return kExitFine;
  }
}

}  // namespace kvorum::server
