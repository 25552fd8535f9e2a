// SPDX-License-Identifier: Apache-2.0
// The cluster that `kvorum dev` makes on this machine: names, ports, and the YAML file for all its
// nodes. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvorum::server {

inline constexpr const char* kDevDirectory = "./data/dev";

struct DevNode {
  std::string name;
  uint16_t redis = 0, memcached = 0, peer = 0, admin = 0;

  std::vector<uint16_t> ports() const { return {redis, memcached, peer, admin}; }
};

struct DevLayout {
  static constexpr int kNodesMax = 26;

  std::vector<DevNode> founders;  // whom the file names
  std::vector<DevNode> nodes;     // who runs: dev_nodes.h
  std::string data_directory;
  std::string engine = "leveldb";
  std::string settings;   // YAML of keyspaces and engine; empty: the usual keyspaces
  uint32_t reactors = 1;  // of each node
};

// Node i has the usual ports + i, all shifted by the same number (`shift` may be negative). Empty
// where a port would leave 1..65535.
std::vector<DevNode> dev_nodes(int count, int shift);
std::string dev_yaml(const DevLayout& layout);
// The highest --base-port for so many nodes.
int dev_base_port_max(int count);
// A line for each node, `pids` in their order.
std::string dev_node_lines(const DevLayout& layout, const std::vector<int>& pids);
// `serve` and its options for a node; one that was added has its own addresses.
std::vector<std::string> dev_arguments(const DevLayout& layout, const std::string& name);
// How to start a node of a running `kvorum dev` again, in another terminal.
std::string dev_restart_command(const DevLayout& layout, const std::string& binary,
                                const std::string& name);
// What a person may try now.
std::string dev_hints(const DevLayout& layout, const std::string& binary,
                      const std::vector<int>& pids);

}  // namespace kvorum::server
