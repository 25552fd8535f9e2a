// SPDX-License-Identifier: Apache-2.0
#include "server/admin/admin_guard.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/base64url.h"
#include "server/net/hosts.h"
#include "server/status/status_json.h"

namespace kvorum::server {
namespace {

HttpAnswer refused(unsigned status, std::string_view text) {
  return {status, "application/json", error_json(text)};
}

bool changes_nothing(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

// What stands behind the colon of Basic's `user:password`; nothing where there is none.
std::optional<std::string> given_password(std::string_view authorization) {
  constexpr std::string_view kScheme = "Basic ";
  const bool basic = authorization.size() > kScheme.size() &&
                     std::equal(kScheme.begin(), kScheme.end(), authorization.begin(),
                                [](char a, char b) { return (a | 0x20) == (b | 0x20); });
  if (!basic) return std::nullopt;
  std::string text(authorization.substr(kScheme.size()));
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  while (text.ends_with('=')) text.pop_back();
  const std::optional<std::string> credentials = base64url_decode(text);
  if (!credentials) return std::nullopt;
  const size_t colon = credentials->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return credentials->substr(colon + 1);
}

std::optional<HttpAnswer> stranger_refusal(const HttpRequest& wanted, const AdminRules& rules) {
  if (wanted.from_loopback) return std::nullopt;
  if (!rules.has_password) {
    return refused(403,
                   "this node is in protected mode: it has no password, so its admin address "
                   "serves this machine alone; set `password` in its YAML file and give it by "
                   "Basic authentication, or ask from the machine it runs on");
  }
  if (is_probe(wanted.path) && changes_nothing(wanted.method)) return std::nullopt;
  const std::optional<std::string> password = given_password(wanted.authorization);
  if (password && rules.takes_password(*password)) return std::nullopt;
  HttpAnswer answer =
      refused(401, password ? "the password is not right"
                            : "give the node's password by Basic authentication, with any user");
  answer.headers.emplace_back("WWW-Authenticate", "Basic realm=\"kvorum\", charset=\"UTF-8\"");
  return answer;
}

std::optional<HttpAnswer> host_refusal(const HttpRequest& wanted, const AdminRules& rules) {
  if (wanted.host.empty()) {
    if (wanted.version < 11) return std::nullopt;
    return refused(400, "the Host header is missing");
  }
  const std::string host = host_part(wanted.host);
  const bool known = host == "localhost" || is_address_text(host) ||
                     std::find(rules.names.begin(), rules.names.end(), host) != rules.names.end();
  if (known) return std::nullopt;
  return refused(403, fmt::format("'{}' is no name of this node: ask by its address, or list the "
                                  "name in admin.hosts",
                                  host));
}

// `http://host:port` against `host:port`. A page without an origin says `null`.
bool same_origin(std::string_view origin, std::string_view host) {
  const size_t scheme = origin.find("://");
  return scheme != std::string_view::npos && origin.substr(scheme + 3) == host;
}

std::optional<HttpAnswer> change_refusal(const HttpRequest& wanted) {
  if (changes_nothing(wanted.method)) return std::nullopt;
  if (!wanted.origin.empty() && !same_origin(wanted.origin, wanted.host)) {
    return refused(403, fmt::format("a page of {} may change nothing here", wanted.origin));
  }
  const std::string_view type = std::string_view(wanted.content_type);
  if (wanted.method == "POST" && type.substr(0, type.find(';')) != "application/json") {
    return refused(415, "POST wants the header Content-Type: application/json");
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> admin_names(const Config& config) {
  std::vector<std::string> names;
  const ListenConfig& listen = config.listen;
  for (const cluster::Endpoint* each :
       {&listen.admin, &listen.redis, &listen.memcached, &listen.peer}) {
    if (!each->empty()) names.push_back(host_part(each->to_text()));
  }
  for (const FounderConfig& founder : config.cluster.founders) {
    if (founder.member.name != config.node.name) continue;
    names.push_back(host_part(founder.member.peer.to_text()));
    names.push_back(host_part(founder.member.admin.to_text()));
  }
  for (const std::string& name : config.admin.hosts) names.push_back(host_part(name));
  std::erase(names, "");
  return names;
}

bool is_probe(std::string_view path) {
  return path == "/livez" || path == "/readyz" || path == "/healthz";
}

std::optional<HttpAnswer> admin_refusal(const HttpRequest& wanted, const AdminRules& rules) {
  if (auto refusal = stranger_refusal(wanted, rules)) return refusal;
  if (auto refusal = host_refusal(wanted, rules)) return refusal;
  return change_refusal(wanted);
}

}  // namespace kvorum::server
