// SPDX-License-Identifier: Apache-2.0
#include "server/admin/admin_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

using testing::HasSubstr;

AdminRules rules(const std::string& password = "") {
  AdminRules made;
  made.names = {"db-one.example", "kv"};
  made.has_password = !password.empty();
  made.takes_password = [password](std::string_view given) { return given == password; };
  return made;
}

HttpRequest request(const std::string& method, const std::string& path) {
  HttpRequest wanted;
  wanted.method = method;
  wanted.path = path;
  wanted.host = "127.0.0.1:8379";
  return wanted;
}

unsigned status_of(const HttpRequest& wanted, const AdminRules& made) {
  const auto refusal = admin_refusal(wanted, made);
  return refusal ? refusal->status : 200;
}

TEST(AdminGuard, HostsAreAddressesAndKnownNames) {
  HttpRequest wanted = request("GET", "/api/v1/status");
  for (const char* const host : {"127.0.0.1:8379", "127.0.0.1", "localhost:8379", "[::1]:8379",
                                 "10.1.2.3:8379", "KV:8379", "db-one.example"}) {
    wanted.host = host;
    EXPECT_EQ(status_of(wanted, rules()), 200u) << host;
  }
  for (const char* const host : {"evil.example", "evil.example:8379", "127.0.0.1.evil.example",
                                 "kv.evil.example:8379", "[", "a:b:c"}) {
    wanted.host = host;
    EXPECT_EQ(status_of(wanted, rules()), 403u) << host;
  }
  wanted.host = "";
  EXPECT_EQ(status_of(wanted, rules()), 400u);
  wanted.version = 10;
  EXPECT_EQ(status_of(wanted, rules()), 200u);
}

TEST(AdminGuard, ChangesComeFromTheSameOriginAsJson) {
  HttpRequest wanted = request("POST", "/api/v1/repair");
  EXPECT_EQ(status_of(wanted, rules()), 415u);
  wanted.content_type = "text/plain";
  EXPECT_EQ(status_of(wanted, rules()), 415u);
  wanted.content_type = "application/json; charset=utf-8";
  EXPECT_EQ(status_of(wanted, rules()), 200u);
  for (const char* const origin : {"http://evil.example", "null", "http://127.0.0.1:9999",
                                   "http://127.0.0.1", "127.0.0.1:8379"}) {
    wanted.origin = origin;
    EXPECT_EQ(status_of(wanted, rules()), 403u) << origin;
  }
  wanted.origin = "http://127.0.0.1:8379";
  EXPECT_EQ(status_of(wanted, rules()), 200u);
  HttpRequest look = request("GET", "/api/v1/repair");
  look.origin = "http://evil.example";  // whose page cannot read the answer
  EXPECT_EQ(status_of(look, rules()), 200u);
}

TEST(AdminGuard, WithoutAPasswordThisMachineAloneIsServed) {
  HttpRequest wanted = request("GET", "/livez");
  EXPECT_EQ(status_of(wanted, rules()), 200u);
  wanted.from_loopback = false;
  EXPECT_EQ(status_of(wanted, rules()), 403u);
  EXPECT_THAT(admin_refusal(wanted, rules())->body, HasSubstr("protected mode"));
}

TEST(AdminGuard, OtherHostsGiveThePasswordButForProbes) {
  const AdminRules made = rules("open sesame");
  HttpRequest wanted = request("GET", "/metrics");
  wanted.from_loopback = false;
  const auto refusal = admin_refusal(wanted, made);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->status, 401u);
  ASSERT_EQ(refusal->headers.size(), 1u);
  EXPECT_EQ(refusal->headers[0].first, "WWW-Authenticate");
  wanted.authorization = "Basic YW55Om9wZW4gc2VzYW1l";  // any:open sesame
  EXPECT_EQ(status_of(wanted, made), 200u);
  wanted.authorization = "basic Om9wZW4gc2VzYW1l";  // :open sesame
  EXPECT_EQ(status_of(wanted, made), 200u);
  for (const char* const wrong :
       {"Basic YW55Ondyb25n", "Basic b3BlbiBzZXNhbWU=", "Basic ***", "Basic ", "Bearer x"}) {
    wanted.authorization = wrong;
    EXPECT_EQ(status_of(wanted, made), 401u) << wrong;
  }
  HttpRequest probe = request("GET", "/readyz");
  probe.from_loopback = false;
  EXPECT_EQ(status_of(probe, made), 200u);
  HttpRequest local = request("GET", "/metrics");
  EXPECT_EQ(status_of(local, made), 200u);
}

TEST(AdminGuard, NamesComeFromTheListenersAndTheFile) {
  const ConfigReport report = load_config(
      "listen: {admin: db-one.example:8379}\nadmin: {hosts: [Proxy.example]}\n", "f.yaml");
  ASSERT_TRUE(report.ok()) << report.to_text();
  const auto names = admin_names(report.config);
  EXPECT_THAT(names, testing::Contains("db-one.example"));
  EXPECT_THAT(names, testing::Contains("proxy.example"));
}

}  // namespace
}  // namespace kvorum::server
