// SPDX-License-Identifier: Apache-2.0
#include "server/cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>

#include "server/cli/ask_commands.h"
#include "server/cli/config_commands.h"
#include "server/cli/dev_command.h"
#include "server/cli/member_commands.h"
#include "server/cli/presets.h"
#include "server/cli/repair_command.h"
#include "server/cli/serve_command.h"
#include "server/cli/usage.h"
#include "server/commands/command_table.h"
#include "server/dev/dev_layout.h"

namespace kvorum::server {
namespace {

// Values that the options are parsed into, and the exit status of the subcommand that ran.
struct Parsed {
  ServeOptions serve;
  DevOptions dev;
  int base_port = 0;
  std::string admin = "127.0.0.1:8379";
  std::string key, file;
  int database = 0;
  RepairCommand repair;
  MemberCommand member;
  std::string output = "text";
  bool markdown = false, strict = false;
  int exit_status = kExitFine;
};

void add_override(CLI::App& command, const char* option, std::optional<std::string>& value,
                  const char* help) {
  command.add_option_function<std::string>(
      option, [&value](const std::string& text) { value = text; }, help);
}

CLI::Option* add_preset(CLI::App& command, std::string& preset) {
  std::vector<std::string> names;
  for (const Preset& each : presets()) names.emplace_back(each.name);
  return command
      .add_option("--preset", preset, "The keyspaces and the engine for a use: " + preset_names())
      ->check(CLI::IsMember(names));
}

void add_serve(CLI::App& app, Parsed& parsed) {
  CLI::App& command = *app.add_subcommand(
      "serve", "Run one node; without any option a durable one on the usual ports");
  CLI::Option* const file =
      command.add_option("--config", parsed.serve.config_file, "The YAML file")->type_name("FILE");
  add_preset(command, parsed.serve.preset)->excludes(file);
  Overrides& overrides = parsed.serve.overrides;
  add_override(command, "--name", overrides.name, "Which member of the file this node is");
  add_override(command, "--redis", overrides.redis, "HOST:PORT for redis clients");
  add_override(command, "--memcached", overrides.memcached, "HOST:PORT for memcached clients");
  add_override(command, "--peer", overrides.peer, "HOST:PORT for the other nodes");
  add_override(command, "--admin", overrides.admin, "HOST:PORT for HTTP: API, metrics, health");
  add_override(command, "--data", overrides.data, "Data directory");
  add_override(command, "--engine", overrides.engine, "leveldb or memory");
  add_override(command, "--max-item-size,-I", overrides.item,
               "The largest item of memcached's clients, 1mb unless told otherwise");
  command.callback([&parsed] { parsed.exit_status = serve(parsed.serve); });
}

void add_dev_members(CLI::App& dev, Parsed& parsed) {
  CLI::App& add = *dev.add_subcommand("add", "Start one more node, and admit it");
  CLI::App& remove =
      *dev.add_subcommand("remove", "Let a node hand over what it holds, and stop it");
  remove.add_option("NAME", parsed.key, "Its name")->required();
  for (CLI::App* const command : {&add, &remove}) {
    command->add_option("--data", parsed.dev.data_directory, "Where the nodes keep their data")
        ->capture_default_str();
  }
  add.callback([&parsed] { parsed.exit_status = add_dev_node(parsed.dev.data_directory); });
  remove.callback(
      [&parsed] { parsed.exit_status = remove_dev_node(parsed.dev.data_directory, parsed.key); });
}

void add_dev(CLI::App& app, Parsed& parsed) {
  CLI::App& command =
      *app.add_subcommand("dev", "Run a local cluster in one process tree; Ctrl-C stops it");
  command.add_option("--nodes", parsed.dev.nodes, "How many")
      ->check(CLI::Range(1, DevLayout::kNodesMax))
      ->capture_default_str();
  command.add_option("--data", parsed.dev.data_directory, "Where the nodes keep their data")
      ->capture_default_str();
  CLI::Option* const base =
      command.add_option("--base-port", parsed.base_port, "Redis port of the first node")
          ->check(CLI::Range(1, 65535));
  CLI::Option* const engine =
      command.add_option("--engine", parsed.dev.engine, "leveldb or memory")
          ->check(CLI::IsMember({"leveldb", "memory"}))
          ->capture_default_str();
  add_preset(command, parsed.dev.preset)->excludes(engine);
  add_dev_members(command, parsed);
  command.callback([&parsed, &command, base] {
    if (!command.get_subcommands().empty()) return;
    if (*base) parsed.dev.base_port = parsed.base_port;
    parsed.exit_status = run_dev(parsed.dev);
  });
}

void add_admin(CLI::App& command, Parsed& parsed) {
  command.add_option("--admin", parsed.admin, "Admin address of a node")
      ->type_name("HOST:PORT")
      ->capture_default_str();
}

void add_asking(CLI::App& app, Parsed& parsed) {
  CLI::App& status = *app.add_subcommand("status", "Show the members as a node sees them");
  add_admin(status, parsed);
  status.callback([&parsed] { parsed.exit_status = show_status(parsed.admin); });

  CLI::App& health = *app.add_subcommand(
      "health", "Whether a node is ready for requests: exit status 0, else 1 and the reasons");
  add_admin(health, parsed);
  health.callback([&parsed] { parsed.exit_status = show_health(parsed.admin); });

  CLI::App& hints =
      *app.add_subcommand("hints", "Show the writes that a node keeps for nodes that are away");
  add_admin(hints, parsed);
  hints.callback([&parsed] { parsed.exit_status = show_hints(parsed.admin); });

  CLI::App& ring = *app.add_subcommand("ring", "Show who owns how much, or where a key lives");
  add_admin(ring, parsed);
  ring.add_option("--key", parsed.key, "Show this key's position and preference list");
  ring.add_option("--db", parsed.database, "Database of the key")
      ->check(CLI::Range(0, 15))
      ->capture_default_str();
  ring.callback(
      [&parsed] { parsed.exit_status = show_ring(parsed.admin, parsed.key, parsed.database); });
}

void add_output(CLI::App& command, Parsed& parsed) {
  add_admin(command, parsed);
  command.add_option("--output", parsed.output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
}

// A change of the membership; the caller adds the words that it needs.
struct ChangeCommand {
  MembershipWish::Kind kind;
  const char* name;
  const char* help;
};

void add_doing(CLI::App& command, Parsed& parsed) {
  command.add_flag("--yes,-y", parsed.member.yes, "Do it without asking");
  command.add_flag("--no-wait", parsed.member.no_wait, "Do not wait until nothing moves any more");
}

CLI::App& add_change(CLI::App& app, Parsed& parsed, const ChangeCommand& of) {
  CLI::App& command = *app.add_subcommand(of.name, of.help);
  add_output(command, parsed);
  command.add_flag("--plan", parsed.member.plan_only, "Show what it would move, and do nothing");
  add_doing(command, parsed);
  command.callback([&parsed, kind = of.kind] {
    parsed.member.wish.kind = kind;
    parsed.member.json = parsed.output == "json";
    parsed.exit_status = change_members(parsed.admin, parsed.member);
  });
  return command;
}

void add_members(CLI::App& app, Parsed& parsed) {
  using Kind = MembershipWish::Kind;
  MembershipWish& wish = parsed.member.wish;
  CLI::App& members =
      *app.add_subcommand("members", "Show who is a member, who waits, who has departed");
  add_output(members, parsed);
  members.callback(
      [&parsed] { parsed.exit_status = show_members(parsed.admin, parsed.output == "json"); });
  CLI::App& transfers =
      *app.add_subcommand("transfers", "Show which partitions move, how far, and why not");
  add_output(transfers, parsed);
  transfers.callback(
      [&parsed] { parsed.exit_status = show_transfers(parsed.admin, parsed.output == "json"); });

  CLI::App& join = add_change(app, parsed, {Kind::kJoin, "join", "Admit a node that waits"});
  join.add_option("NAME", wish.name, "Its name")->required();
  CLI::App& leave = add_change(
      app, parsed, {Kind::kLeave, "leave", "Let a member hand over what it holds, and depart"});
  leave.add_option("NAME", wish.name, "Its name; without one the node that is asked");
  CLI::App& remove = add_change(app, parsed, {Kind::kRemove, "remove", "Declare a member dead"});
  remove.add_option("NAME", wish.name, "Its name")->required();
  remove.add_flag("--force", wish.force, "Also one that lives");
  CLI::App& replace = add_change(
      app, parsed,
      {Kind::kReplace, "replace", "Declare a member dead, and give its place to one that waits"});
  replace.add_option("OLD", wish.name, "Who is dead")->required();
  replace.add_option("NEW", wish.by, "Who takes its place")->required();
  replace.add_flag("--force", wish.force, "Also one that lives");
  CLI::App& weight =
      add_change(app, parsed, {Kind::kWeight, "weight", "Give a member more or fewer partitions"});
  weight.add_option("NAME", wish.name, "Its name")->required();
  weight.add_option("WEIGHT", wish.weight, "So many shares; 1 is the usual one")->required();
}

void add_cluster(CLI::App& app, Parsed& parsed) {
  CLI::App& cluster = *app.add_subcommand(
      "cluster", "Compare an edited cluster file with the cluster, apply it, or change placement");
  cluster.require_subcommand(1);
  CLI::App& plan = *cluster.add_subcommand(
      "plan", "Show what is different in the file and what it would move; changes nothing");
  CLI::App& apply = *cluster.add_subcommand("apply", "Make the cluster as the file says");
  for (CLI::App* const command : {&plan, &apply}) {
    command->add_option("FILE", parsed.file, "The cluster's YAML file")->required();
    add_output(*command, parsed);
    command->callback([&parsed, is_plan = command == &plan] {
      parsed.member.plan_only = is_plan;
      parsed.member.json = parsed.output == "json";
      parsed.exit_status = apply_file(parsed.admin, parsed.file, parsed.member);
    });
  }
  add_doing(apply, parsed);
  MembershipWish& wish = parsed.member.wish;
  CLI::App& placement =
      add_change(cluster, parsed,
                 {MembershipWish::Kind::kPlacement, "placement",
                  "Raise the version of placement: where the copies of a partition stand"});
  placement.add_option("VERSION", wish.placement, "2 is the newest")->required();
}

void add_repair(CLI::App& app, Parsed& parsed) {
  CLI::App& command = *app.add_subcommand(
      "repair", "Compare a node's copies with those of all others, and repair what differs");
  add_admin(command, parsed);
  command.add_option("--keyspace", parsed.repair.keyspace, "Only this database")
      ->check(CLI::Range(0, 15));
  command.add_option("--partition", parsed.repair.partition, "Only this partition")
      ->check(CLI::NonNegativeNumber);
  command.callback([&parsed] { parsed.exit_status = run_repair(parsed.admin, parsed.repair); });
}

void add_config(CLI::App& app, Parsed& parsed) {
  CLI::App& config = *app.add_subcommand("config", "Check or show a configuration");
  config.require_subcommand(1);
  CLI::App& check = *config.add_subcommand("check", "Name every mistake in a file");
  check.add_option("FILE", parsed.file, "The YAML file")->required();
  check.add_flag("--strict", parsed.strict, "Warnings are mistakes: exit status 1");
  check.callback([&parsed] { parsed.exit_status = check_config(parsed.file, parsed.strict); });
  CLI::App& show = *config.add_subcommand("show", "Show what is in force, defaults included");
  show.add_option("FILE", parsed.file, "The YAML file");
  add_override(show, "--name", parsed.serve.overrides.name, "Which member of the file");
  show.callback(
      [&parsed] { parsed.exit_status = show_config_of(parsed.file, parsed.serve.overrides); });
}

void add_commands(CLI::App& app, Parsed& parsed) {
  CLI::App& command = *app.add_subcommand("commands", "List the commands that clients may send");
  command.add_flag("--markdown", parsed.markdown, "As the reference in docs/");
  command.callback(
      [&parsed] { fmt::print("{}", parsed.markdown ? commands_markdown() : commands_text()); });
}

}  // namespace

int run_command_line(int argc, char** argv) {
  CLI::App app("kvorum: a leaderless, always-writable key-value store", "kvorum");
  app.set_version_flag("--version", std::string("kvorum ") + KVORUM_VERSION);
  app.require_subcommand(1);
  Parsed parsed;
  add_serve(app, parsed);
  add_dev(app, parsed);
  add_asking(app, parsed);
  add_members(app, parsed);
  add_cluster(app, parsed);
  add_repair(app, parsed);
  add_config(app, parsed);
  add_commands(app, parsed);
  app.failure_message(
      [](const CLI::App* failed, const CLI::Error& error) { return usage_text(*failed, error); });
  const std::string first = argc > 1 ? argv[1] : "";
  if (first == "help") {
    fmt::print("{}", app.help());
    return kExitFine;
  }
  if (const auto unknown = unknown_command_text(app, first)) {
    fmt::print(stderr, "{}", *unknown);
    return kExitUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitFine : kExitUsage;
  }
  return parsed.exit_status;
}

}  // namespace kvorum::server
