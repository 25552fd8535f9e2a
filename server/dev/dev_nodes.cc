// SPDX-License-Identifier: Apache-2.0
#include "server/dev/dev_nodes.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "server/config/config.h"
#include "server/net/listener.h"
#include "server/process/directory_lock.h"

namespace kvorum::server {
namespace {

std::string path_in(const std::string& directory) { return directory + "/nodes"; }

bool has_name(const std::vector<DevNode>& nodes, const std::string& name) {
  return std::any_of(nodes.begin(), nodes.end(),
                     [&](const DevNode& node) { return node.name == name; });
}

}  // namespace

Result<std::vector<DevNode>> read_dev_nodes(const std::string& directory,
                                            const std::vector<DevNode>& founders) {
  std::ifstream file(path_in(directory));
  if (!file) return founders;
  std::vector<DevNode> nodes;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    DevNode node;
    if (!(words >> node.name >> node.redis >> node.memcached >> node.peer >> node.admin)) {
      return Status(Code::kInvalid,
                    fmt::format("{} has a line that names no node: {}", path_in(directory), line));
    }
    nodes.push_back(std::move(node));
  }
  if (nodes.empty()) return Status(Code::kInvalid, path_in(directory) + " names no node");
  return nodes;
}

Status write_dev_nodes(const std::string& directory, const std::vector<DevNode>& nodes) {
  const std::string path = path_in(directory), fresh = path + ".new";
  std::ofstream file(fresh, std::ios::trunc);
  for (const DevNode& node : nodes) {
    file << fmt::format("{} {} {} {} {}\n", node.name, node.redis, node.memcached, node.peer,
                        node.admin);
  }
  file.close();
  std::error_code error;
  if (file) std::filesystem::rename(fresh, path, error);
  return file && !error ? Status() : Status(Code::kIoError, "cannot write " + path);
}

void forget_dev_nodes(const std::string& directory) {
  std::error_code ignored;
  std::filesystem::remove(path_in(directory), ignored);
}

Result<DevNode> next_dev_node(const std::string& directory, const std::vector<DevNode>& founders,
                              const std::vector<DevNode>& nodes) {
  if (founders.empty()) return Status(Code::kInvalid, directory + " holds no cluster");
  const int shift = int{founders.front().redis} - dev_nodes(1, 0).front().redis;
  for (int count = 1; count <= DevLayout::kNodesMax; ++count) {
    const std::vector<DevNode> all = dev_nodes(count, shift);
    if (all.empty()) break;
    const std::string& name = all.back().name;
    std::error_code error;
    const bool had = std::filesystem::exists(directory + "/" + name, error);
    if (!had && !has_name(founders, name) && !has_name(nodes, name)) return all.back();
  }
  return Status(Code::kNoSpace,
                fmt::format("the cluster in {} has had as many nodes as it can have", directory));
}

Result<std::vector<DevNode>> read_dev_founders(const std::string& directory) {
  const std::string file = directory + "/cluster.yaml";
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return Status(Code::kNotFound, file);
  const ConfigReport report = load_config_file(file);
  if (!report.ok()) return Status(Code::kInvalid, report.to_text());
  std::vector<DevNode> founders;
  for (const FounderConfig& founder : report.config.cluster.founders) {
    const cluster::Member& member = founder.member;
    founders.push_back({member.name, member.redis.port, member.memcached.port, member.peer.port,
                        member.admin.port});
  }
  return founders;
}

uint16_t busy_port(const std::vector<DevNode>& nodes) {
  for (const DevNode& node : nodes) {
    for (const uint16_t port : node.ports()) {
      if (!listen_on("dev", cluster::Endpoint{"127.0.0.1", port}, 1).ok()) return port;
    }
  }
  return 0;
}

Result<pid_t> dev_process(const std::string& directory) {
  const Status nobody(Code::kNotFound,
                      fmt::format("no `kvorum dev` runs in {}: start one, or name its directory "
                                  "with --data",
                                  directory));
  std::error_code error;
  if (!std::filesystem::exists(directory + "/cluster.yaml", error)) return nobody;
  if (DirectoryLock::take(directory).ok()) return nobody;
  std::ifstream file(directory + "/kvorum.lock");
  std::string word;
  pid_t pid = 0;
  if (!(file >> word >> pid) || word != "pid" || pid <= 1) return nobody;
  return pid;
}

}  // namespace kvorum::server
