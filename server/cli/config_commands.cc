// SPDX-License-Identifier: Apache-2.0
#include "server/cli/config_commands.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "server/cli/command_line.h"

namespace kvorum::server {
namespace {

int complain(const ConfigReport& report) {
  const std::string text = report.to_text();
  fmt::print(stderr, "{}{}", text, text.ends_with('\n') ? "" : "\n");
  return kExitUsage;
}

std::string founder_names(const Config& config) {
  std::string names;
  for (const FounderConfig& founder : config.cluster.founders) {
    names += (names.empty() ? "" : ", ") + founder.member.name;
  }
  return names;
}

}  // namespace

int check_config(const std::string& file, bool strict) {
  const ConfigReport report = load_config_file(file);
  if (!report.ok()) return complain(report);
  fmt::print(stderr, "{}", report.warnings_text());
  if (strict && !report.warnings.empty()) return kExitFailed;
  std::error_code error;
  const bool empty = std::filesystem::file_size(file, error) == 0 && !error;
  fmt::print("{}: {}\n", file,
             empty ? "the file is empty, so the defaults are in force: `kvorum config show` lists "
                     "them"
             : report.warnings.empty() ? "no mistakes"
                                       : "no mistakes, but see the warnings");
  return kExitFine;
}

int show_config_of(const std::string& file, const Overrides& overrides) {
  const ConfigReport report =
      file.empty() ? load_config("", "", overrides) : load_config_file(file, overrides);
  if (!report.ok()) return complain(report);
  if (!file.empty() && !report.config.is_founder()) {
    fmt::print(stderr,
               "kvorum: '{}' is not among the members of {} ({}): a node of that name waits until "
               "it is admitted\n",
               report.config.node.name, file, founder_names(report.config));
  }
  fmt::print("{}", show_config(report.config));
  return kExitFine;
}

}  // namespace kvorum::server
