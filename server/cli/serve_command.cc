// SPDX-License-Identifier: Apache-2.0
#include "server/cli/serve_command.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <initializer_list>
#include <optional>
#include <utility>

#include "server/cli/command_line.h"
#include "server/cli/presets.h"
#include "server/node/node.h"
#include "server/process/crash_report.h"
#include "server/process/descriptors.h"
#include "server/process/logging.h"

namespace kvorum::server {
namespace {

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

void complain(std::string_view text) {
  fmt::print(stderr, "{}{}", text, text.ends_with('\n') ? "" : "\n");
}

ConfigReport read_config(const ServeOptions& options) {
  if (!options.config_file.empty()) {
    return load_config_file(options.config_file, options.overrides);
  }
  const Preset* const preset = find_preset(options.preset);
  return load_config(preset == nullptr ? std::string_view() : preset->settings, "",
                     options.overrides);
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string source_of(const ServeOptions& options) {
  if (!options.config_file.empty()) return "file " + options.config_file;
  return options.preset.empty() ? "without a file" : "preset " + options.preset;
}

// What starts here, in one line.
void log_banner(const ServeOptions& options, const Config& config) {
  std::string members;
  for (const FounderConfig& founder : config.cluster.founders) {
    members.append(members.empty() ? "" : ", ").append(founder.member.name);
  }
  const cluster::KeyspacePolicy& policy = config.keyspaces[0];
  const bool durable = config.engine.type == EngineType::kLevelDb;
  log_info("kvorum {}, process {}: {}, cluster {} (n {} r {} w {}; members {}), engine {}",
           KVORUM_VERSION, getpid(), source_of(options), config.cluster.name, policy.n, policy.r,
           policy.w, members,
           durable ? fmt::format("leveldb (sync {}, data in {})", sync_text(config.engine.sync),
                                 config.node.data_directory)
                   : std::string("memory"));
}

// A file with a mistake changes nothing.
void reload(Node& node, const ServeOptions& options) {
  const ConfigReport report = read_config(options);
  if (report.ok() && report.choices.empty()) return node.reload(report.config);
  log_error(
      "SIGHUP: the configuration stays as it is, for the file has a mistake: {}",
      first_line(report.ok() ? report.choose_name_text(options.config_file) : report.to_text()));
}

// The next signal; 0: there is none yet, and it is time to look at the node.
int next_signal(const sigset_t& signals, const Node& node) {
  constexpr timespec kLook{0, 100'000'000};
  const int received = node.may_begin_anew() ? sigtimedwait(&signals, nullptr, &kLook)
                                             : sigwaitinfo(&signals, nullptr);
  return received < 0 ? 0 : received;
}

// Returns when it is time to stop (true; from then on another such signal ends the process at
// once), or when the node has to begin anew.
bool attend_signals(const sigset_t& signals, Node& node, const ServeOptions& options) {
  for (;;) {
    const int received = next_signal(signals, node);
    if (received == 0) {
      if (node.begins_anew()) return false;
    } else if (received == SIGHUP) {
      log_info("SIGHUP received: reading the configuration again");
      reload(node, options);
    } else if (received == SIGUSR1) {
      const bool reopened = reopen_log();
      log_info("SIGUSR1 received: {}", reopened ? "the log file was opened again"
                                                : "the log goes to standard error, so there is no "
                                                  "file to open again (log.file names one)");
    } else {
      log_info("{} received: stopping", received == SIGINT ? "SIGINT" : "SIGTERM");
      const sigset_t stops = set_of({SIGTERM, SIGINT});
      pthread_sigmask(SIG_UNBLOCK, &stops, nullptr);
      return true;
    }
  }
}

// A node that waited begins anew as a member, and one that learned how its cluster was founded.
int run_node(const sigset_t& signals, const Config& config, const ServeOptions& options) {
  std::optional<KeptMembership> kept;
  for (;;) {
    auto node = Node::open(config, std::move(kept));
    if (!node.ok()) {
      stop_logging();
      complain("kvorum: " + node.status().message());
      return kExitFailed;
    }
    const bool ends = attend_signals(signals, *node.value(), options);
    kept = node.value()->kept();
    const bool saved = node.value()->stop();
    if (ends) {
      log_info("stopped");
      return saved ? kExitFine : kExitFailed;
    }
    log_info("this node begins anew as a member");
  }
}

}  // namespace

int serve(const ServeOptions& options) {
  // All threads inherit this: signals are for attend_signals() alone.
  const sigset_t signals = set_of({SIGTERM, SIGINT, SIGHUP, SIGUSR1});
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGUSR2, SIG_IGN);
  const ConfigReport report = read_config(options);
  if (!report.ok()) {
    complain(report.to_text());
    return kExitUsage;
  }
  if (!report.choices.empty()) {
    complain(report.choose_name_text(options.config_file));
    return kExitUsage;
  }
  install_crash_report(report.config.log.file);
  if (Status status = start_logging(report.config.log, report.config.node.name); !status.ok()) {
    complain("kvorum: " + status.message());
    return kExitFailed;
  }
  raise_descriptor_limit();
  log_banner(options, report.config);
  for (const Problem& warning : report.warnings) log_warning("{}", warning.to_text());
  const int exit_status = run_node(signals, report.config, options);
  stop_logging();
  return exit_status;
}

}  // namespace kvorum::server
