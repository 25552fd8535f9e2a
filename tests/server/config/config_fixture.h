// SPDX-License-Identifier: Apache-2.0
// What the tests of the configuration share: the problems of a text, the configuration of a text
// that has none, and a file of three members.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "server/config/config.h"

namespace kvorum::server {

inline constexpr std::string_view kThree = R"(cluster:
  name: demo
  members:
    - {name: a, peer: 127.0.0.1:7379}
    - {name: b, peer: 127.0.0.1:7380, redis: 127.0.0.1:6380, memcached: 127.0.0.1:11212,
       admin: 127.0.0.1:8380, data: /var/b, weight: 2, rack: r2, zone: z2}
    - {name: c, peer: 127.0.0.1:7381}
)";

inline std::vector<std::string> problems_of(std::string_view text,
                                            const Overrides& overrides = {}) {
  std::vector<std::string> lines;
  for (const Problem& problem : load_config(text, "f.yaml", overrides).problems) {
    lines.push_back(problem.to_text());
  }
  return lines;
}

inline Config config_of(std::string_view text, const Overrides& overrides = {}) {
  const ConfigReport report = load_config(text, "f.yaml", overrides);
  EXPECT_EQ(report.to_text(), "");
  return report.config;
}

inline Overrides named(std::string name) {
  Overrides overrides;
  overrides.name = std::move(name);
  return overrides;
}

}  // namespace kvorum::server
