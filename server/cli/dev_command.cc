// SPDX-License-Identifier: Apache-2.0
#include "server/cli/dev_command.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <thread>

#include "server/admin/http.h"
#include "server/cli/ask_commands.h"
#include "server/cli/command_line.h"
#include "server/cli/presets.h"
#include "server/config/config.h"
#include "server/dev/child_process.h"
#include "server/dev/dev_nodes.h"
#include "server/net/listener.h"
#include "server/process/cpu_count.h"
#include "server/process/directory_lock.h"

namespace kvorum::server {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kSettleWait = std::chrono::seconds(60);
constexpr auto kStopWait = std::chrono::seconds(10);
constexpr int kMoveStep = 100;
constexpr int kMovesMax = 50;

void say(const std::string& text) {
  fmt::print("{}", text);
  std::fflush(stdout);
}

int fail(const std::string& text) {
  fmt::print(stderr, "kvorum dev: {}\n", text);
  return kExitFailed;
}

Result<std::vector<DevNode>> choose_ports(const DevOptions& options) {
  const int wanted = options.base_port.value_or(kRedisPort) - kRedisPort;
  for (int move = 0; move < kMovesMax; ++move) {
    std::vector<DevNode> nodes = dev_nodes(options.nodes, wanted + move * kMoveStep);
    if (nodes.empty()) break;
    const uint16_t busy = busy_port(nodes);
    if (busy == 0) {
      if (move > 0) {
        say(fmt::format("The usual ports are in use; all are moved by {}.\n", move * kMoveStep));
      }
      return nodes;
    }
    if (options.base_port) {
      return Status(Code::kExists,
                    fmt::format("port {} is in use; choose another --base-port", busy));
    }
  }
  if (options.base_port) {
    return Status(
        Code::kInvalid,
        fmt::format("--base-port {}: memcached's ports, which lie {} above redis's, would "
                    "pass 65535; choose one up to {}",
                    *options.base_port, kMemcachedPort - kRedisPort,
                    dev_base_port_max(options.nodes)));
  }
  return Status(Code::kInvalid, "no block of free ports; choose one with --base-port");
}

// The cluster that the data directory holds already keeps its ports: they are part of what founded
// it. Empty where there is none.
Result<std::vector<DevNode>> remembered_nodes(const DevOptions& options) {
  auto founders = read_dev_founders(options.data_directory);
  if (founders.status().code() == Code::kNotFound) return std::vector<DevNode>();
  if (!founders.ok()) return founders.status();
  std::vector<DevNode> nodes = std::move(founders).value();
  const auto wanted_port = static_cast<uint16_t>(options.base_port.value_or(nodes[0].redis));
  if (nodes.size() != static_cast<size_t>(options.nodes) || nodes[0].redis != wanted_port) {
    return Status(Code::kExists,
                  fmt::format("{} holds a cluster of {} nodes from port {}: start that one, choose "
                              "another directory with --data, or delete this one",
                              options.data_directory, nodes.size(), nodes[0].redis));
  }
  if (const uint16_t busy = busy_port(nodes); busy != 0) {
    return Status(Code::kExists,
                  fmt::format("port {} of the cluster in {} is in use; stop what listens there, or "
                              "choose another directory with --data",
                              busy, options.data_directory));
  }
  return nodes;
}

Status write_file(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::trunc);
  file << content;
  file.close();
  return file ? Status() : Status(Code::kIoError, "cannot write " + path);
}

std::string own_path() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return "kvorum";
  const auto relative = std::filesystem::proximate(path, error);
  return error || relative.string().starts_with("../..") ? path.string() : relative.string();
}

// The running cluster of a `kvorum dev`.
class DevCluster {
 public:
  explicit DevCluster(const DevLayout& layout) : layout_(layout) {
    sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGCHLD, SIGHUP}) sigaddset(&signals_, signal);
    sigprocmask(SIG_BLOCK, &signals_, nullptr);
  }

  Status start() {
    for (const DevNode& node : layout_.nodes) {
      if (Status status = start(node.name); !status.ok()) return status;
    }
    return {};
  }

  // True once every node calls the cluster settled; false where a child ended or a signal came.
  bool wait_settled() {
    const auto until = Clock::now() + kSettleWait;
    while (Clock::now() < until) {
      if (next_signal(std::chrono::milliseconds(50)) || running() < children_.size()) return false;
      if (std::all_of(layout_.nodes.begin(), layout_.nodes.end(), is_settled)) return true;
    }
    return false;
  }

  void wait_for_signal() {
    while (!next_signal(std::chrono::hours(1))) {
      if (running() == 0) return;
    }
  }

  void stop() {
    for (const ChildProcess& child : children_) {
      if (child.pid > 0) kill(child.pid, SIGTERM);
    }
    stopping_ = true;
    const auto until = Clock::now() + kStopWait;
    while (running() > 0 && Clock::now() < until) {
      reap();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    for (const ChildProcess& child : children_) {
      if (child.pid > 0) kill(child.pid, SIGKILL);
    }
  }

  std::vector<int> pids() const {
    std::vector<int> found;
    for (const ChildProcess& child : children_) found.push_back(child.pid);
    return found;
  }
  bool stop_wanted() const { return stop_wanted_; }
  size_t running() const {
    return static_cast<size_t>(
        std::count_if(children_.begin(), children_.end(),
                      [](const ChildProcess& child) { return child.pid > 0; }));
  }

 private:
  Status start(const std::string& name) {
    auto child = start_child(name, dev_arguments(layout_, name), log_of(name));
    if (!child.ok()) return child.status();
    children_.push_back(std::move(child).value());
    return {};
  }

  // Somebody added a node, or removed one. One that has died is not started again by that.
  void follow_nodes() {
    auto nodes = read_dev_nodes(layout_.data_directory, layout_.founders);
    if (!nodes.ok()) return say(nodes.status().message() + "\n");
    layout_.nodes = std::move(nodes).value();
    const auto runs = [](const std::string& name) {
      return [&name](const auto& one) { return one.name == name; };
    };
    for (ChildProcess& child : children_) {
      const bool stays = std::any_of(layout_.nodes.begin(), layout_.nodes.end(), runs(child.name));
      child.dismissed = !stays;
      if (!stays && child.pid > 0) kill(child.pid, SIGTERM);
    }
    std::erase_if(children_,
                  [](const ChildProcess& child) { return child.dismissed && child.pid < 0; });
    for (const DevNode& node : layout_.nodes) {
      if (std::any_of(children_.begin(), children_.end(), runs(node.name))) continue;
      const Status started = start(node.name);
      say(started.ok()
              ? fmt::format("Node {} was added; its log: {}\n", node.name, log_of(node.name))
              : started.message() + "\n");
    }
  }

  static bool is_settled(const DevNode& node) {
    const auto answer = http_get(cluster::Endpoint{"127.0.0.1", node.admin}, "/api/v1/status");
    return answer.ok() && state_of(answer.value().body) == "settled";
  }

  std::string log_of(const std::string& name) const {
    return fmt::format("{}/{}.log", layout_.data_directory, name);
  }

  // True when it is time to stop.
  bool next_signal(std::chrono::milliseconds patience) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience);
    timespec wait{};
    wait.tv_sec = seconds.count();
    wait.tv_nsec = std::chrono::nanoseconds(patience - seconds).count();
    const int signal = sigtimedwait(&signals_, nullptr, &wait);
    if (signal == SIGCHLD) reap();
    if (signal == SIGHUP) follow_nodes();
    if (signal == SIGINT || signal == SIGTERM) stop_wanted_ = true;
    return stop_wanted_;
  }

  void reap() {
    int status = 0;
    for (ChildProcess& child : children_) {
      if (child.pid <= 0 || waitpid(child.pid, &status, WNOHANG) != child.pid) continue;
      child.pid = -1;
      if (child.dismissed && status == 0) {
        say(fmt::format("Node {} was removed.\n", child.name));
        continue;
      }
      if (stopping_ && status == 0) continue;
      say(fmt::format("Node {} {}; the others go on. Its log: {}\n", child.name, end_text(status),
                      log_of(child.name)));
      if (!stopping_) {
        say(fmt::format("  to start it again: {}\n",
                        dev_restart_command(layout_, own_path(), child.name)));
      }
    }
  }

  DevLayout layout_;
  sigset_t signals_{};
  std::vector<ChildProcess> children_;
  bool stop_wanted_ = false, stopping_ = false;
};

int run_cluster(const DevLayout& layout) {
  DevCluster cluster(layout);
  const Status started = cluster.start();
  bool settled = false;
  if (started.ok()) {
    say(fmt::format("Starting {} nodes; logs and data in {}\n", layout.nodes.size(),
                    layout.data_directory));
    settled = cluster.wait_settled();
  }
  if (settled) {
    say(fmt::format("The cluster is settled: redis ports {}-{}, memcached {}-{}.\n{}\n{}",
                    layout.nodes.front().redis, layout.nodes.back().redis,
                    layout.nodes.front().memcached, layout.nodes.back().memcached,
                    dev_node_lines(layout, cluster.pids()),
                    dev_hints(layout, own_path(), cluster.pids())));
    cluster.wait_for_signal();
  }
  const bool stopped_by_signal = cluster.stop_wanted();
  cluster.stop();
  if (!started.ok()) return fail(started.message());
  if (stopped_by_signal) {
    say("Stopped.\n");
    return kExitFine;
  }
  return fail(settled ? "all nodes have ended"
                      : "the cluster did not come up; the logs are in " + layout.data_directory);
}

}  // namespace

int run_dev(const DevOptions& options) {
  const std::string& directory = options.data_directory;
  const std::string config_file = directory + "/cluster.yaml";
  auto lock = DirectoryLock::take(directory);
  if (!lock.ok()) return fail(lock.status().message());
  auto nodes = remembered_nodes(options);
  if (nodes.ok() && nodes.value().empty()) nodes = choose_ports(options);
  if (!nodes.ok()) return fail(nodes.status().message());

  DevLayout layout;
  layout.founders = std::move(nodes).value();
  layout.data_directory = directory;
  if (options.engine == "memory") forget_dev_nodes(directory);  // nothing of them is left
  auto running = read_dev_nodes(directory, layout.founders);
  if (!running.ok()) return fail(running.status().message());
  layout.nodes = std::move(running).value();
  layout.engine = options.engine;
  if (const Preset* const preset = find_preset(options.preset)) layout.settings = preset->settings;
  layout.reactors = std::max(1u, usable_cpus() / static_cast<uint32_t>(layout.nodes.size()));
  if (Status status = write_file(config_file, dev_yaml(layout)); !status.ok()) {
    return fail(status.message());
  }
  std::string ports;
  for (const DevNode& node : layout.nodes) ports += fmt::format(" {}", node.redis);
  const Status described = lock.value().describe("kvorum dev, redis ports" + ports);
  if (!described.ok()) return fail(described.message());
  return run_cluster(layout);
}

}  // namespace kvorum::server
