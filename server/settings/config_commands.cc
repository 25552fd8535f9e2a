// SPDX-License-Identifier: Apache-2.0
// CONFIG: shows and sets what server/settings/parameters.h has, and takes and shows what has no
// meaning here (server/logbook/idle_settings.h).
#include <fmt/format.h>

#include <set>

#include "protocol/glob.h"
#include "server/commands/help.h"
#include "server/commands/words.h"
#include "server/logbook/logbook.h"
#include "server/settings/parameters.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

// Shows those that somebody asked for, each once. A name that is no pattern is answered as it was
// written.
class ParameterList {
 public:
  explicit ParameterList(Words patterns) : patterns_(patterns) {}

  template <typename Value>
  void show(std::string_view name, bool hidden, const Value& value) {
    for (const std::string_view pattern : patterns_) {
      if (!protocol::glob_matches(pattern, name, /*ignore_case=*/true)) continue;
      const bool is_name = pattern.find_first_of("[*?\\") == std::string_view::npos;
      if (hidden && !is_name) continue;
      add(is_name ? pattern : name, value());
      return;
    }
  }
  void add(std::string_view name, std::string value) {
    fields_.push_back(Reply::bulk(name));
    fields_.push_back(Reply::bulk_owned(std::move(value)));
  }
  Reply take() { return Reply::map(std::move(fields_)); }

 private:
  const Words patterns_;
  std::vector<Reply> fields_;
};

void config_get(const CommandCall& call, Plan& plan) {
  const Words patterns = call.words.subspan(2);
  const IdleSettings& idle = call.facts.logbook().idle;
  ParameterList list(patterns);
  ParameterSource source(call.facts);
  for (const Parameter& parameter : parameters()) {
    list.show(parameter.name, false, [&] { return parameter.value(source); });
  }
  for (const IdleSetting& setting : idle_settings()) {
    list.show(setting.name, setting.hidden, [&] { return idle.value(setting); });
  }
  for (const std::string_view name : patterns) {
    const IdleSetting* const setting = find_idle_setting(name);
    if (setting != nullptr && !equals_ignoring_case(name, setting->name)) {
      list.add(name, idle.value(*setting));  // asked for by an older name
    }
  }
  plan.answer(list.take());
}

std::string set_idle(const IdleSetting& setting, const Wish& wish) {
  std::string shown;
  std::string problem = setting_problem(setting, wish.value, &shown);
  if (problem.empty() && wish.set) wish.facts.logbook().idle.set(setting, std::move(shown));
  return problem;
}

// Why it cannot be that. What belongs to the configuration changes in the draft alone. What the
// YAML file decides may only be set to what it is.
std::string set_by_name(std::string_view name, const Wish& wish, Config& draft) {
  const Parameter* const parameter = find_parameter(name);
  if (parameter == nullptr) return set_idle(*find_idle_setting(name), wish);
  if (parameter->change != nullptr) return parameter->change(wish, draft);
  if (parameter->set != nullptr) return parameter->set(wish);
  ParameterSource source(wish.facts);
  return parameter->value(source) == wish.value ? "" : "can't set immutable config";
}

std::string why_not(std::string_view name, std::string_view problem) {
  return fmt::format("ERR CONFIG SET failed (possibly related to argument '{}') - {}", name,
                     problem);
}

// Why none of them is set, as an error; empty where all may be.
std::string check_wishes(Words pairs, NodeFacts& facts) {
  Config draft = ParameterSource(facts).config();
  std::set<std::string> seen;
  for (size_t i = 0; i < pairs.size(); i += 2) {
    const std::string_view name = pairs[i];
    if (find_parameter(name) == nullptr && find_idle_setting(name) == nullptr) {
      return fmt::format("ERR Unknown option or number of arguments for CONFIG SET - '{}'", name);
    }
    if (!seen.insert(lower_case(name)).second) return why_not(name, "duplicate parameter");
    const std::string problem = set_by_name(name, {facts, pairs[i + 1]}, draft);
    if (!problem.empty()) return why_not(name, problem);
  }
  return {};
}

bool is_of_configuration(std::string_view name) {
  const Parameter* const parameter = find_parameter(name);
  return parameter != nullptr && parameter->change != nullptr;
}

bool names_configuration(Words pairs) {
  for (size_t i = 0; i < pairs.size(); i += 2) {
    if (is_of_configuration(pairs[i])) return true;
  }
  return false;
}

void config_set(const CommandCall& call, Plan& plan) {
  if (call.words.size() % 2 != 0) {
    return plan.fail_owned(protocol::wrong_number_of_arguments(call.row.name));
  }
  const Words pairs = call.words.subspan(2);
  std::string error = check_wishes(pairs, call.facts);
  if (!error.empty()) return plan.fail_owned(std::move(error));
  const auto set_all = [&](bool of_configuration, Config& draft) {
    for (size_t i = 0; i < pairs.size(); i += 2) {
      if (is_of_configuration(pairs[i]) != of_configuration) continue;
      set_by_name(pairs[i], {call.facts, pairs[i + 1], /*set=*/true}, draft);
    }
  };
  Config unused;
  set_all(false, unused);
  if (!names_configuration(pairs)) return plan.answer(Reply::ok());
  call.facts.change_config([&](Config& draft) { set_all(true, draft); });
  // Once all reactors have answered they have the new configuration.
  do_everywhere([](NodeFacts&) {}, plan);
}

void config_rewrite(const CommandCall&, Plan& plan) {
  plan.fail(
      "ERR the YAML file is not rewritten: what CONFIG SET changed holds until the node ends");
}

void config_resetstat(const CommandCall& call, Plan& plan) {
  call.facts.reset_statistics();
  plan.answer(Reply::ok());
}

constexpr uint32_t kPlain = kLoading | kStale;
constexpr uint32_t kConfig = kAdmin | kNoScript | kLoading | kStale;

constexpr CommandRow kRows[] = {
    {"config", -2, kContainer | kPlain, 0, 0, 0, Group::kServer, "2.0.0", "subcommand",
     "Commands about the configuration.", "O(1)", nullptr},
    {"config|get", -3, kConfig, 0, 0, 0, Group::kServer, "2.0.0", "parameter [parameter ...]",
     "The values of parameters whose names match.", "O(N) for N parameters", config_get},
    {"config|help", 2, kPlain, 0, 0, 0, Group::kServer, "5.0.0", "", "Lists the subcommands.",
     "O(1)", subcommand_help},
    {"config|resetstat", 2, kConfig, 0, 0, 0, Group::kServer, "2.0.0", "",
     "Lets INFO and memcached's stats count from now on; /metrics goes on.", "O(1)",
     config_resetstat, &hint::kTellsNodes},
    {"config|rewrite", 2, kConfig, 0, 0, 0, Group::kServer, "2.8.0", "",
     "Refused: the YAML file is its owner's.", "O(1)", config_rewrite, &hint::kTellsNodes},
    {"config|set", -4, kConfig, 0, 0, 0, Group::kServer, "2.0.0",
     "parameter value [parameter value ...]",
     "Sets parameters of this node, all or none. Until it ends or reads its file again: "
     "client-output-buffer-limit, maxclients, maxmemory, maxmemory-policy, requirepass, "
     "tcp-keepalive, timeout. Until it ends: latency-*, notify-keyspace-events, slowlog-*. Takes "
     "those of Redis that have no meaning here. Refuses what the YAML file decides, unless it is "
     "that already.",
     "O(N) for N parameters", config_set, &hint::kTellsNodes},
};

}  // namespace

std::span<const CommandRow> config_commands() { return kRows; }

}  // namespace kvorum::server
