// SPDX-License-Identifier: Apache-2.0
#include "server/cli/member_commands.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <optional>
#include <thread>

#include "server/admin/http.h"
#include "server/cli/ask_commands.h"
#include "server/cli/command_line.h"
#include "server/membership/wish_names.h"
#include "server/status/status_json.h"

namespace kvorum::server {
namespace {

namespace json = boost::json;

using Kind = MembershipWish::Kind;

constexpr auto kLook = std::chrono::milliseconds(200);
constexpr size_t kFileBytesMax = HttpServer::kRequestBytesMax - 4096;  // beside the header
constexpr int kQuietLooks = 2;  // a change that was just wished is not everywhere yet

std::optional<json::value> value_in(const std::string& document, std::string_view name) {
  boost::system::error_code error;
  const json::value value = json::parse(document, error);
  if (error || !value.is_object()) return std::nullopt;
  const json::value* const found =
      value.as_object().if_contains(json::string_view(name.data(), name.size()));
  return found == nullptr ? std::nullopt : std::optional<json::value>(*found);
}

std::string text_in(const std::string& document, std::string_view name) {
  const std::optional<json::value> found = value_in(document, name);
  return found && found->is_string() ? std::string(found->as_string()) : std::string();
}

size_t length_in(const std::string& document, std::string_view name) {
  const std::optional<json::value> found = value_in(document, name);
  return found && found->is_array() ? found->as_array().size() : 0;
}

size_t number_in(const std::string& document, std::string_view name) {
  const std::optional<json::value> found = value_in(document, name);
  return found && found->is_int64() ? static_cast<size_t>(found->as_int64()) : 0;
}

bool is_empty_plan(const std::string& document) {
  const std::optional<json::value> found = value_in(document, "is_empty");
  return found && found->is_bool() && found->as_bool();
}

int fail(const std::string& text) {
  fmt::print(stderr, "kvorum: {}\n", text);
  return kExitFailed;
}

// What a node answered, or why not.
class Asker {
 public:
  explicit Asker(const std::string& admin_address)
      : address_(admin_address), endpoint_(cluster::Endpoint::parse(admin_address)) {}

  bool get(const std::string& target) {
    return keep(endpoint_.ok() ? http_get(endpoint_.value(), target) : endpoint_.status());
  }
  bool post(const std::string& target, const std::string& body) {
    return keep(endpoint_.ok() ? http_post(endpoint_.value(), target, body) : endpoint_.status());
  }
  unsigned status() const { return answer_.status; }
  const std::string& body() const { return answer_.body; }
  // With the reason that the node gave.
  int refused() const {
    const std::string reason = text_in(body(), "error");
    return fail(reason.empty() ? fmt::format("{} answered {}", address_, status()) : reason);
  }

 private:
  bool keep(const Result<HttpAnswer>& answer) {
    if (answer.ok()) {
      answer_ = answer.value();
      return true;
    }
    fail(fmt::format("--admin {}: {}", address_, answer.status().message()));
    return false;
  }

  const std::string address_;
  const Result<cluster::Endpoint> endpoint_;
  HttpAnswer answer_;
};

int show(const std::string& admin_address, const std::string& target, bool as_json) {
  Asker asker(admin_address);
  if (!asker.get(target)) return kExitFailed;
  if (asker.status() != 200) return asker.refused();
  fmt::print("{}", as_json ? asker.body() : text_in(asker.body(), "text"));
  return kExitFine;
}

bool is_agreed(const MemberCommand& command) {
  if (command.yes) return true;
  if (isatty(STDIN_FILENO) == 0) {
    fmt::print(stderr, "kvorum: nobody can be asked here: add --yes\n");
    return false;
  }
  fmt::print("Do it? [y/N] ");
  std::fflush(stdout);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

// Until nothing moves any more and nobody leaves, as the asked node sees it.
int await_moves(Asker& asker, const MemberCommand& command, size_t planned) {
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  size_t most = planned;
  for (int quiet = 0; quiet < kQuietLooks;) {
    std::this_thread::sleep_for(kLook);
    if (!asker.get("/api/v1/transfers")) return kExitFailed;
    if (asker.status() != 200) return asker.refused();
    const size_t left = length_in(asker.body(), "transfers");
    most = std::max(most, left);
    quiet = left == 0 && length_in(asker.body(), "leaving") == 0 ? quiet + 1 : 0;
    if (command.json || !terminal || most == 0) continue;
    fmt::print("\r{}\x1b[K", move_line(asker.body(), most));  // clears what a longer one left
    std::fflush(stdout);
  }
  if (command.json) return kExitFine;
  fmt::print("{}done: {} partitions moved\n", terminal && most > 0 ? "\n" : "", most);
  return kExitFine;
}

}  // namespace

std::string move_line(const std::string& transfers, size_t most) {
  constexpr size_t kWidth = 40;
  const size_t moved = most - std::min(most, length_in(transfers, "transfers"));
  const std::string bar(most == 0 ? 0 : moved * kWidth / most, '=');
  std::string line = fmt::format("[{:<{}}] {} of {} partitions moved", bar, kWidth, moved, most);
  const std::optional<json::value> progress = value_in(transfers, "progress");
  if (moved == most || !progress || !progress->is_object()) return line;
  const std::string told = json::serialize(*progress);
  if (!value_in(told, "percent").value_or(nullptr).is_int64()) return line;
  line += fmt::format(", {} % of the keys", number_in(told, "percent"));
  if (!value_in(told, "seconds_left").value_or(nullptr).is_int64()) return line;
  return line + fmt::format(", {} a second, about {} s left", number_in(told, "keys_per_second"),
                            number_in(told, "seconds_left"));
}

std::string wish_target(const MembershipWish& wish) {
  std::string target = fmt::format("/api/v1/members?change={}", name_of(wish.kind));
  if (!wish.name.empty()) target += "&name=" + query_escaped(wish.name);
  if (!wish.by.empty()) target += "&by=" + query_escaped(wish.by);
  if (wish.kind == Kind::kWeight) target += fmt::format("&weight={}", wish.weight);
  if (wish.kind == Kind::kPlacement) target += fmt::format("&placement={}", wish.placement);
  if (wish.force) target += "&force=true";
  return target;
}

std::string wish_body(const MembershipWish& wish) {
  if (wish.kind != Kind::kApply) return {};
  return json::serialize(json::object{{"file", wish.file}});
}

int apply_file(const std::string& admin_address, const std::string& path, MemberCommand command) {
  const ConfigReport report = load_config_file(path);
  if (!report.ok()) {
    fmt::print(stderr, "{}\n", report.to_text());
    return kExitUsage;
  }
  if (!report.config.cluster.names_members) {
    return fail(path + " has no cluster.members: it describes no cluster");
  }
  Config told;  // what is about the cluster: no secret, nothing of a node
  told.cluster = report.config.cluster;
  told.cluster.secrets.clear();
  told.keyspaces = report.config.keyspaces;
  told.peer_insecure = true;
  command.wish.kind = Kind::kApply;
  command.wish.file = show_config(told);
  if (const size_t bytes = wish_body(command.wish).size(); bytes > kFileBytesMax) {
    return fail(
        fmt::format("{} has {} bytes, and the admin API takes {}", path, bytes, kFileBytesMax));
  }
  return change_members(admin_address, command);
}

int show_members(const std::string& admin_address, bool as_json) {
  return show(admin_address, "/api/v1/members", as_json);
}

int show_transfers(const std::string& admin_address, bool as_json) {
  return show(admin_address, "/api/v1/transfers", as_json);
}

int change_members(const std::string& admin_address, const MemberCommand& command) {
  Asker asker(admin_address);
  const std::string target = wish_target(command.wish), body = wish_body(command.wish);
  if (!asker.post(target + "&plan=true", body)) return kExitFailed;
  if (asker.status() != 200) return asker.refused();
  if (!command.json) fmt::print("{}", text_in(asker.body(), "text"));
  if (command.plan_only) {
    if (command.json) fmt::print("{}", asker.body());
    return kExitFine;
  }
  if (is_empty_plan(asker.body())) return kExitFine;
  if (!is_agreed(command)) return kExitFailed;
  const std::string based_on = text_in(asker.body(), "based_on");
  if (!asker.post(target + "&based_on=" + based_on, body)) return kExitFailed;
  if (asker.status() == 409 && text_in(asker.body(), "error").empty()) {
    fmt::print(stderr, "{}", text_in(asker.body(), "text"));
    return fail("the membership has changed since the plan was made: this is the new one");
  }
  if (asker.status() == 202)
    return fail("the change is taken and not written yet: look at the disk");
  if (asker.status() != 200) return asker.refused();
  if (command.json) fmt::print("{}", asker.body());
  const size_t planned = number_in(asker.body(), "partitions_moving");
  return command.no_wait ? kExitFine : await_moves(asker, command, planned);
}

}  // namespace kvorum::server
