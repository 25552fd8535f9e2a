// SPDX-License-Identifier: Apache-2.0
#include "server/admin/admin_api.h"

#include <array>
#include <string_view>

#include "server/admin/metrics.h"
#include "server/admin/status_json.h"

namespace kvorum::server {
namespace {

constexpr const char* kPlainText = "text/plain; charset=utf-8";

HttpAnswer health(Node& node, const HttpRequest&) {
  const std::string reason = node.unhealthy_reason();
  if (reason.empty()) return {200, kPlainText, "ok\n"};
  return {503, kPlainText, reason + "\n"};
}

HttpAnswer metrics(Node& node, const HttpRequest&) {
  return {200, "text/plain; version=0.0.4; charset=utf-8", metrics_text(node.status())};
}

HttpAnswer status(Node& node, const HttpRequest&) {
  return {200, "application/json", status_json(node.status())};
}

HttpAnswer hints(Node& node, const HttpRequest&) {
  return {200, "application/json", hints_json(node.status())};
}

HttpAnswer ring(Node& node, const HttpRequest& wanted) {
  const auto key = query_value(wanted.query, "key");
  if (!key) return {200, "application/json", ring_json(node.view())};
  const auto database = query_value(wanted.query, "db");
  const auto number = database_number(database.value_or("0"));
  if (!number) return {400, "application/json", error_json("db must be a number from 0 to 15")};
  return {200, "application/json", key_json(node.view(), *key, *number)};
}

HttpAnswer shown_config(Node& node, const HttpRequest&) {
  return {200, "application/json", config_json(node.config())};
}

struct Route {
  std::string_view path;
  HttpAnswer (*answer)(Node& node, const HttpRequest& wanted);
};

constexpr std::array<Route, 6> kRoutes = {{
    {"/healthz", health},
    {"/metrics", metrics},
    {"/api/v1/status", status},
    {"/api/v1/ring", ring},
    {"/api/v1/hints", hints},
    {"/api/v1/config", shown_config},
}};

}  // namespace

HttpAnswer admin_answer(Node& node, const HttpRequest& wanted) {
  for (const Route& route : kRoutes) {
    if (route.path != wanted.path) continue;
    if (wanted.method != "GET" && wanted.method != "HEAD") {
      return {405, "application/json", error_json("only GET is answered here")};
    }
    return route.answer(node, wanted);
  }
  return {404, "application/json",
          error_json("there is no " + wanted.path +
                     "; see /healthz, /metrics, /api/v1/status, /api/v1/ring, /api/v1/hints, "
                     "/api/v1/config")};
}

}  // namespace kvorum::server
