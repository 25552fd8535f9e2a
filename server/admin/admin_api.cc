// SPDX-License-Identifier: Apache-2.0
#include "server/admin/admin_api.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <iterator>
#include <string_view>
#include <thread>

#include "server/admin/admin_guard.h"
#include "server/membership/wish_names.h"
#include "server/status/membership_text.h"
#include "server/status/metrics.h"
#include "server/status/status_json.h"

namespace kvorum::server {
namespace {

constexpr const char* kPlainText = "text/plain; charset=utf-8";

HttpAnswer liveness(AdminServices& node, const HttpRequest&) {
  const std::string reason = node.stuck_reason();
  if (reason.empty()) return {200, kPlainText, "ok\n"};
  return {503, kPlainText, reason + "\n"};
}

HttpAnswer readiness(AdminServices& node, const HttpRequest&) {
  const NodeStatus status = node.status();
  if (!any_unready(status.problems)) return {200, kPlainText, "ok\n"};
  return {503, "application/json", reasons_json(status.problems)};
}

HttpAnswer metrics(AdminServices& node, const HttpRequest&) {
  return {200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(node.status())};
}

HttpAnswer status(AdminServices& node, const HttpRequest&) {
  return {200, "application/json", status_json(node.status())};
}

HttpAnswer hints(AdminServices& node, const HttpRequest&) {
  return {200, "application/json", hints_json(node.status())};
}

HttpAnswer ring(AdminServices& node, const HttpRequest& wanted) {
  const auto key = query_value(wanted.query, "key");
  if (!key) return {200, "application/json", ring_json(*node.view())};
  const auto database = query_value(wanted.query, "db");
  const auto number = database_number(database.value_or("0"));
  if (!number) return {400, "application/json", error_json("db must be a number from 0 to 15")};
  return {200, "application/json", key_json(*node.view(), *key, *number)};
}

HttpAnswer shown_config(AdminServices& node, const HttpRequest&) {
  return {200, "application/json", config_json(*node.config())};
}

HttpAnswer repair_progress(AdminServices& node, const HttpRequest&) {
  return {200, "application/json", repair_json(node.status().repair)};
}

// A number below `end`, where it is given.
bool optional_number(const HttpRequest& wanted, std::string_view name, uint64_t end,
                     int64_t* number) {
  const auto text = query_value(wanted.query, name);
  if (!text) return true;
  const auto [last, error] = std::from_chars(text->data(), text->data() + text->size(), *number);
  return error == std::errc() && last == text->data() + text->size() && *number >= 0 &&
         static_cast<uint64_t>(*number) < end;
}

HttpAnswer begin_repair(AdminServices& node, const HttpRequest& wanted) {
  int64_t keyspace = -1, partition = -1;
  if (!optional_number(wanted, "keyspace", kKeyspacesMax, &keyspace)) {
    return {400, "application/json", error_json("keyspace must be a number from 0 to 15")};
  }
  if (!optional_number(wanted, "partition", node.view()->ring.partitions(), &partition)) {
    return {400, "application/json", error_json("there is no such partition")};
  }
  node.repair({static_cast<int>(keyspace), partition});
  RepairStatus begun;
  begun.active = true;
  return {202, "application/json", repair_json(begun)};
}

HttpAnswer members(AdminServices& node, const HttpRequest&) {
  return {200, "application/json", members_json(node.status())};
}

HttpAnswer transfers(AdminServices& node, const HttpRequest&) {
  return {200, "application/json", transfers_json(node.status())};
}

unsigned http_status_of(Code code) {
  switch (code) {
    case Code::kNotFound:
      return 404;
    case Code::kExists:
    case Code::kOutOfRange:  // the plan is stale
      return 409;
    case Code::kUnavailable:
    case Code::kNoSpace:
      return 503;
    default:
      return 400;
  }
}

HttpAnswer refusal_of(const Status& status) {
  return {http_status_of(status.code()), "application/json", error_json(status.message())};
}

// {"file": "the text of a cluster's YAML file"}
Result<std::string> file_in(const std::string& body) {
  namespace json = boost::json;
  boost::system::error_code error;
  const json::value value = json::parse(body, error);
  const json::value* const file =
      !error && value.is_object() ? value.as_object().if_contains("file") : nullptr;
  if (file == nullptr || !file->is_string()) {
    return Status(Code::kInvalid, "apply wants a body: {\"file\": \"the text of the file\"}");
  }
  return std::string(file->as_string());
}

// POST /api/v1/members?change=join&name=f; `change`: join, leave, remove, replace, weight, apply,
// placement.
Result<MembershipWish> wish_of(const HttpRequest& wanted) {
  const std::string change = query_value(wanted.query, "change").value_or("");
  MembershipWish wish;
  const auto* const kind = std::find_if(std::begin(kWishNames), std::end(kWishNames),
                                        [&](const auto& known) { return known.name == change; });
  if (kind == std::end(kWishNames)) {
    return Status(Code::kInvalid,
                  "change must be one of join, leave, remove, replace, weight, apply, placement");
  }
  wish.kind = kind->kind;
  wish.name = query_value(wanted.query, "name").value_or("");
  wish.by = query_value(wanted.query, "by").value_or("");
  wish.force = query_value(wanted.query, "force").value_or("") == "true";
  int64_t weight = 0, placement = 0;
  if (!optional_number(wanted, "weight", UINT32_MAX, &weight)) {
    return Status(Code::kInvalid, "weight must be a number");
  }
  if (!optional_number(wanted, "placement", UINT8_MAX, &placement)) {
    return Status(Code::kInvalid, "placement must be a number");
  }
  wish.weight = static_cast<uint32_t>(weight);
  wish.placement = static_cast<uint8_t>(placement);
  if (wish.kind != MembershipWish::Kind::kApply) return wish;
  auto file = file_in(wanted.body);
  if (!file.ok()) return file.status();
  wish.file = std::move(file).value();
  return wish;
}

// Waits for the disk, which usually takes milliseconds, and never for long: then the answer says
// that the change is not written yet.
HttpAnswer change_members(AdminServices& node, const HttpRequest& wanted) {
  constexpr int kLooks = 1000;
  const auto wish = wish_of(wanted);
  if (!wish.ok()) return refusal_of(wish.status());
  if (node.status().loading) return refusal_of(Status(Code::kUnavailable, "the node is starting"));
  MembershipDesk& desk = *node.membership();
  if (query_value(wanted.query, "plan").value_or("") == "true") {
    const auto plan = desk.plan(wish.value());
    if (!plan.ok()) return refusal_of(plan.status());
    return {200, "application/json", plan_json(plan.value())};
  }
  const auto taken = desk.take(wish.value(), query_value(wanted.query, "based_on").value_or(""));
  if (taken.status().code() == Code::kOutOfRange) {
    const auto plan = desk.plan(wish.value());  // the new one
    if (plan.ok()) return {409, "application/json", plan_json(plan.value())};
  }
  if (!taken.ok()) return refusal_of(taken.status());
  bool written = desk.has_effect(taken.value().change);
  for (int look = 0; look < kLooks && !written; ++look) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    written = desk.has_effect(taken.value().change);
  }
  return {written ? 200u : 202u, "application/json", taken_json(taken.value().plan, written)};
}

using Answer = HttpAnswer (*)(AdminServices& node, const HttpRequest& wanted);

struct Route {
  std::string_view path;
  Answer get;
  Answer post = nullptr;
};

constexpr std::array<Route, 11> kRoutes = {{
    {"/livez", liveness},
    {"/readyz", readiness},
    {"/healthz", readiness},
    {"/metrics", metrics},
    {"/api/v1/status", status},
    {"/api/v1/ring", ring},
    {"/api/v1/hints", hints},
    {"/api/v1/config", shown_config},
    {"/api/v1/repair", repair_progress, begin_repair},
    {"/api/v1/members", members, change_members},
    {"/api/v1/transfers", transfers},
}};

}  // namespace

HttpAnswer admin_answer(AdminServices& node, const HttpRequest& wanted) {
  const std::shared_ptr<const Config> config = node.config();
  AdminRules rules;
  rules.names = admin_names(*config);
  rules.has_password = !config->passwords.empty();
  rules.takes_password = [&](std::string_view password) {
    const bool right = node.takes_password(password);
    if (!right) node.login_failed(wanted.address);
    return right;
  };
  if (auto refusal = admin_refusal(wanted, rules)) return *refusal;
  for (const Route& route : kRoutes) {
    if (route.path != wanted.path) continue;
    if (wanted.method == "POST" && route.post != nullptr) return route.post(node, wanted);
    if (wanted.method != "GET" && wanted.method != "HEAD") {
      return {405, "application/json", error_json(wanted.method + " is not answered here")};
    }
    return route.get(node, wanted);
  }
  return {
      404, "application/json",
      error_json("there is no " + wanted.path +
                 "; see /livez, /readyz, /metrics, /api/v1/status, /api/v1/ring, /api/v1/hints, "
                 "/api/v1/config, /api/v1/repair, /api/v1/members, /api/v1/transfers")};
}

}  // namespace kvorum::server
