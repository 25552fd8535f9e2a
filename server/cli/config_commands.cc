// SPDX-License-Identifier: Apache-2.0
#include "server/cli/config_commands.h"

#include <fmt/format.h>

#include <cstdio>

#include "server/cli/command_line.h"

namespace kvorum::server {
namespace {

int complain(const ConfigReport& report) {
  const std::string text = report.to_text();
  fmt::print(stderr, "{}{}", text, text.ends_with('\n') ? "" : "\n");
  return kExitUsage;
}

}  // namespace

int check_config(const std::string& file) {
  const ConfigReport report = load_config_file(file);
  if (!report.ok()) return complain(report);
  fmt::print("{}: no mistakes\n", file);
  return kExitFine;
}

int show_config_of(const std::string& file, const Overrides& overrides) {
  const ConfigReport report =
      file.empty() ? load_config("", "", overrides) : load_config_file(file, overrides);
  if (!report.ok()) return complain(report);
  fmt::print("{}", show_config(report.config));
  return kExitFine;
}

}  // namespace kvorum::server
