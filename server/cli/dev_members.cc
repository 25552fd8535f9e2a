// SPDX-License-Identifier: Apache-2.0
// `kvorum dev add` and `kvorum dev remove NAME`: told to the process that runs the cluster by its
// file of nodes, and to the cluster as a person would.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "server/admin/http.h"
#include "server/cli/command_line.h"
#include "server/cli/dev_command.h"
#include "server/cli/member_commands.h"
#include "server/dev/dev_nodes.h"

namespace kvorum::server {
namespace {

constexpr auto kPatience = std::chrono::seconds(30);
constexpr auto kLook = std::chrono::milliseconds(100);

struct RunningDev {
  std::string directory;
  pid_t process = 0;
  std::vector<DevNode> founders, nodes;
};

int fail(const std::string& text) {
  fmt::print(stderr, "kvorum dev: {}\n", text);
  return kExitFailed;
}

Result<RunningDev> find_running(const std::string& directory) {
  RunningDev found;
  found.directory = directory;
  const auto process = dev_process(directory);
  if (!process.ok()) return process.status();
  found.process = process.value();
  auto founders = read_dev_founders(directory);
  if (!founders.ok()) return founders.status();
  found.founders = std::move(founders).value();
  auto nodes = read_dev_nodes(directory, found.founders);
  if (!nodes.ok()) return nodes.status();
  found.nodes = std::move(nodes).value();
  return found;
}

Status tell(const RunningDev& running) {
  if (Status status = write_dev_nodes(running.directory, running.nodes); !status.ok()) {
    return status;
  }
  if (kill(running.process, SIGHUP) == 0) return {};
  return Status(Code::kUnavailable, fmt::format("process {} cannot be told", running.process));
}

std::string admin_of(const DevNode& node) { return fmt::format("127.0.0.1:{}", node.admin); }

bool answers(const DevNode& node, const std::string& target, const std::string& with) {
  const auto answer = http_get(cluster::Endpoint{"127.0.0.1", node.admin}, target);
  return answer.ok() && answer.value().body.find(with) != std::string::npos;
}

// A node that lives, another than `except`.
Result<DevNode> any_other(const RunningDev& running, const std::string& except) {
  for (const DevNode& node : running.nodes) {
    if (node.name != except && answers(node, "/api/v1/status", "{")) return node;
  }
  return Status(Code::kUnavailable, "no other node of the cluster answers");
}

bool await_waiting(const DevNode& asked, const std::string& name) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  const std::string says = fmt::format("{} waits", name);
  while (!answers(asked, "/api/v1/members", says)) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(kLook);
  }
  return true;
}

}  // namespace

int add_dev_node(const std::string& directory) {
  auto running = find_running(directory);
  if (!running.ok()) return fail(running.status().message());
  RunningDev& dev = running.value();
  const auto asked = any_other(dev, {});
  if (!asked.ok()) return fail(asked.status().message());
  const auto next = next_dev_node(directory, dev.founders, dev.nodes);
  if (!next.ok()) return fail(next.status().message());
  const DevNode& node = next.value();
  if (const uint16_t busy = busy_port({node}); busy != 0) {
    return fail(fmt::format("port {}, which node {} would have, is in use", busy, node.name));
  }
  dev.nodes.push_back(node);
  if (Status status = tell(dev); !status.ok()) return fail(status.message());
  if (!await_waiting(asked.value(), node.name)) {
    return fail(fmt::format("node {} did not come up; its log is {}/{}.log", node.name, directory,
                            node.name));
  }
  fmt::print("node {}: redis {}, memcached {}, admin {}\n", node.name, node.redis, node.memcached,
             node.admin);
  MemberCommand command;
  command.wish.kind = MembershipWish::Kind::kJoin;
  command.wish.name = node.name;
  command.yes = true;
  return change_members(admin_of(asked.value()), command);
}

int remove_dev_node(const std::string& directory, const std::string& name) {
  auto running = find_running(directory);
  if (!running.ok()) return fail(running.status().message());
  RunningDev& dev = running.value();
  const auto is_it = [&](const DevNode& node) { return node.name == name; };
  if (std::none_of(dev.nodes.begin(), dev.nodes.end(), is_it)) {
    return fail(fmt::format("there is no node {} in {}", name, directory));
  }
  const auto asked = any_other(dev, name);
  if (!asked.ok()) return fail(asked.status().message());
  MemberCommand command;
  command.wish.kind = MembershipWish::Kind::kLeave;
  command.wish.name = name;
  command.yes = true;
  const int left = change_members(admin_of(asked.value()), command);
  if (left != kExitFine) return left;
  std::erase_if(dev.nodes, is_it);
  if (Status status = tell(dev); !status.ok()) return fail(status.message());
  fmt::print("node {} was stopped\n", name);
  return kExitFine;
}

}  // namespace kvorum::server
