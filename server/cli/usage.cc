// SPDX-License-Identifier: Apache-2.0
#include "server/cli/usage.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <vector>

#include "server/config/config_values.h"

namespace kvorum::server {
namespace {

using Names = std::vector<std::string>;

std::string suggested(const std::string& word, const Names& names) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  return suggestion(word, views);
}

Names command_names(const CLI::App& app) {
  Names names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

Names option_names(const CLI::App& app) {
  Names names;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_lnames().empty()) names.push_back("--" + option->get_lnames().front());
  }
  return names;
}

// nearest() knows words without dashes.
std::string plain(std::string option) {
  option.erase(0, option.find_first_not_of('-'));
  std::replace(option.begin(), option.end(), '-', '_');
  return option;
}

std::string suggested_option(const std::string& word, const Names& options) {
  Names names;
  for (const std::string& option : options) names.push_back(plain(option));
  const std::vector<std::string_view> views(names.begin(), names.end());
  const auto meant = nearest(plain(word), views);
  for (const std::string& option : options) {
    if (meant && plain(option) == *meant) return fmt::format("; did you mean '{}'?", option);
  }
  return fmt::format("; known are {}", fmt::join(options, ", "));
}

// The innermost command that was named, and all its names: `kvorum config show`.
struct Place {
  const CLI::App* command;
  std::string path;
};

Place place_of(const CLI::App& app) {
  Place place{&app, app.get_name()};
  while (!place.command->get_subcommands().empty()) {
    place.command = place.command->get_subcommands().front();
    place.path += " " + place.command->get_name();
  }
  return place;
}

std::string no_command(const Place& place, const std::string& word) {
  return fmt::format("{}: there is no command '{}' in this version{}", place.path, word,
                     suggested(word, command_names(*place.command)));
}

std::string not_understood(const Place& place, const std::string& word) {
  if (!word.starts_with('-')) return fmt::format("{}: '{}' is a word too many", place.path, word);
  return fmt::format("{}: there is no option {}{}", place.path, word,
                     suggested_option(word, option_names(*place.command)));
}

std::string sentence(const Place& place, const Names& left_over, const CLI::Error& error) {
  if (place.command->get_require_subcommand_min() > 0) {
    if (left_over.empty()) {
      return fmt::format("{}: name one of its commands: {}", place.path,
                         fmt::join(command_names(*place.command), ", "));
    }
    if (!left_over.front().starts_with('-')) return no_command(place, left_over.front());
    return not_understood(place, left_over.front());
  }
  if (!left_over.empty()) return not_understood(place, left_over.front());
  return fmt::format("{}: {}", place.path, error.what());
}

std::string with_remedy(const Place& place, const std::string& said) {
  return fmt::format("{}\n`{} --help` shows what there is.\n", said, place.path);
}

}  // namespace

std::string usage_text(const CLI::App& app, const CLI::Error& error) {
  const Place place = place_of(app);
  return with_remedy(place, sentence(place, app.remaining(true), error));
}

std::optional<std::string> unknown_command_text(const CLI::App& app, const std::string& word) {
  if (word.empty() || word.starts_with('-')) return std::nullopt;
  const Names names = command_names(app);
  if (std::find(names.begin(), names.end(), word) != names.end()) return std::nullopt;
  const Place place{&app, app.get_name()};
  return with_remedy(place, no_command(place, word));
}

}  // namespace kvorum::server
