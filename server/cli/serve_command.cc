// SPDX-License-Identifier: Apache-2.0
#include "server/cli/serve_command.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdio>

#include "server/cli/command_line.h"
#include "server/logging.h"
#include "server/node.h"

namespace kvorum::server {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

void complain(std::string_view text) {
  fmt::print(stderr, "{}{}", text, text.ends_with('\n') ? "" : "\n");
}

// As many descriptors as the system lets us have: clients, links, store files.
void raise_descriptor_limit(uint32_t clients) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  constexpr uint64_t kOthers = 1200;
  if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < clients + kOthers) {
    log_warning("the limit of open files ({}) is low for limits.clients {}: raise it (ulimit -n)",
                limit.rlim_cur, clients);
  }
}

// Returns after the first signal; from then on another one ends the process at once.
void wait_for_stop(const sigset_t& signals) {
  int received = 0;
  sigwait(&signals, &received);
  log_info("{} received: stopping", received == SIGINT ? "SIGINT" : "SIGTERM");
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

}  // namespace

int serve(const ServeOptions& options) {
  const ConfigReport report = options.config_file.empty()
                                  ? load_config("", "", options.overrides)
                                  : load_config_file(options.config_file, options.overrides);
  if (!report.ok()) {
    complain(report.to_text());
    return kExitUsage;
  }
  if (!report.choices.empty()) {
    complain(report.choose_name_text(options.config_file));
    return kExitUsage;
  }
  start_logging(report.config.log, report.config.node.name);
  raise_descriptor_limit(report.config.limits.clients);
  // All threads inherit this: signals are for wait_for_stop() alone.
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  auto node = Node::open(report.config);
  if (!node.ok()) {
    complain("kvorum: " + node.status().message());
    return kExitFailed;
  }
  wait_for_stop(signals);
  const bool saved = node.value()->stop();
  log_info("stopped");
  stop_logging();
  return saved ? kExitFine : kExitFailed;
}

}  // namespace kvorum::server
