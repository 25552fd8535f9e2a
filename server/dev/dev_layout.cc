// SPDX-License-Identifier: Apache-2.0
#include "server/dev/dev_layout.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "server/config/config.h"

namespace kvorum::server {
namespace {

// Where concurrent writes are kept.
std::string sibling_hints(const DevNode& first, const DevNode& last) {
  return fmt::format(
      "Two writers who do not know of each other leave two versions, and none is lost:\n"
      "  redis-cli -p {0} KV.PUT cart '' book\n"
      "  redis-cli -p {1} KV.PUT cart '' dvd\n"
      "  redis-cli -p {0} KV.GET cart                  # a context and both; write back with it:\n"
      "  redis-cli -p {1} KV.PUT cart <context> 'book, dvd'\n",
      first.redis, last.redis);
}

}  // namespace

std::vector<DevNode> dev_nodes(int count, int shift) {
  std::vector<DevNode> nodes;
  for (int i = 0; i < count; ++i) {
    const auto port = [&](uint16_t usual) { return static_cast<int>(usual) + shift + i; };
    if (port(kRedisPort) < 1 || port(kMemcachedPort) > 65535) return {};
    DevNode node;
    node.name = std::string(1, static_cast<char>('a' + i));
    node.redis = static_cast<uint16_t>(port(kRedisPort));
    node.memcached = static_cast<uint16_t>(port(kMemcachedPort));
    node.peer = static_cast<uint16_t>(port(kPeerPort));
    node.admin = static_cast<uint16_t>(port(kAdminPort));
    nodes.push_back(node);
  }
  return nodes;
}

std::string dev_yaml(const DevLayout& layout) {
  std::string out =
      "# Written by `kvorum dev`; serves all its nodes.\ncluster:\n  name: dev\n  members:\n";
  for (const DevNode& node : layout.founders) {
    out += fmt::format(
        "    - {{name: {}, peer: \"127.0.0.1:{}\", redis: \"127.0.0.1:{}\", memcached: "
        "\"127.0.0.1:{}\", admin: \"127.0.0.1:{}\", data: \"{}/{}\"}}\n",
        node.name, node.peer, node.redis, node.memcached, node.admin, layout.data_directory,
        node.name);
  }
  constexpr std::string_view kUsual =
      "keyspaces:\n"
      "  default: {n: 3, r: 2, w: 2, conflicts: siblings}\n"
      "  cache: {db: 2, n: 2, r: 1, w: 1, conflicts: lww}\n";
  out += layout.settings.empty() ? fmt::format("{}engine: {{type: {}}}\n", kUsual, layout.engine)
                                 : layout.settings;
  return out + fmt::format("reactors: {}\n", layout.reactors);
}

int dev_base_port_max(int count) { return 65535 - (kMemcachedPort - kRedisPort) - (count - 1); }

std::string dev_node_lines(const DevLayout& layout, const std::vector<int>& pids) {
  std::string out;
  for (size_t i = 0; i < layout.nodes.size() && i < pids.size(); ++i) {
    const DevNode& node = layout.nodes[i];
    out += fmt::format("  node {}: process {}, redis {}, memcached {}, admin {}\n", node.name,
                       pids[i], node.redis, node.memcached, node.admin);
  }
  return out;
}

std::vector<std::string> dev_arguments(const DevLayout& layout, const std::string& name) {
  std::vector<std::string> words = {"serve", "--config", layout.data_directory + "/cluster.yaml",
                                    "--name", name};
  const auto is_it = [&](const DevNode& node) { return node.name == name; };
  if (std::any_of(layout.founders.begin(), layout.founders.end(), is_it)) return words;
  const auto node = std::find_if(layout.nodes.begin(), layout.nodes.end(), is_it);
  KVORUM_CHECK(node != layout.nodes.end());
  const auto add = [&](const char* option, std::string value) {
    words.emplace_back(option);
    words.push_back(std::move(value));
  };
  add("--data", fmt::format("{}/{}", layout.data_directory, name));
  add("--redis", fmt::format("127.0.0.1:{}", node->redis));
  add("--memcached", fmt::format("127.0.0.1:{}", node->memcached));
  add("--peer", fmt::format("127.0.0.1:{}", node->peer));
  add("--admin", fmt::format("127.0.0.1:{}", node->admin));
  return words;
}

std::string dev_restart_command(const DevLayout& layout, const std::string& binary,
                                const std::string& name) {
  return fmt::format("{} {}", binary, fmt::join(dev_arguments(layout, name), " "));
}

std::string dev_hints(const DevLayout& layout, const std::string& binary,
                      const std::vector<int>& pids) {
  const DevNode& first = layout.nodes.front();
  const DevNode& last = layout.nodes.back();
  const bool usual = layout.data_directory == kDevDirectory;
  const std::string data = usual ? "" : " --data " + layout.data_directory;
  return fmt::format(
      "Try, in another terminal:\n"
      "  redis-cli -p {0} SET greeting hello\n"
      "  redis-cli -p {1} GET greeting                 # any node answers for all\n"
      "  printf 'get greeting\\r\\nquit\\r\\n' | nc 127.0.0.1 {2}   # the same data as memcached\n"
      "{10}"
      "Let a node fail, see that writes go on, and bring it back (from this directory):\n"
      "  {3} status --admin 127.0.0.1:{4}\n"
      "  kill -9 {6}                                # or -STOP, and later -CONT\n"
      "  {7}\n"
      "Let the cluster grow, and shrink again:\n"
      "  {3} dev add{8}\n"
      "  {3} dev remove {9}{8}\n"
      "Ctrl-C here stops all nodes that it started; their data stays in {5}.\n",
      first.redis, last.redis, last.memcached, binary, first.admin, layout.data_directory,
      pids.back(), dev_restart_command(layout, binary, last.name), data, first.name,
      layout.settings.find("lww") == std::string::npos ? sibling_hints(first, last) : "");
}

}  // namespace kvorum::server
