// SPDX-License-Identifier: Apache-2.0
// `kvorum dev`: a cluster of child processes on this machine, in the foreground until SIGINT or
// SIGTERM. A child that dies is reported, and the others go on. `kvorum dev add` and `kvorum dev
// remove NAME`, in another terminal, let it grow and shrink.
#pragma once

#include <optional>
#include <string>

#include "server/dev/dev_layout.h"

namespace kvorum::server {

struct DevOptions {
  int nodes = 3;
  std::string data_directory = kDevDirectory;
  std::optional<int> base_port;  // of redis of the first node; the other ports shift with it
  std::string engine = "leveldb";
  std::string preset;  // presets.h, instead of an engine; empty: the usual keyspaces
};

// The exit status.
int run_dev(const DevOptions& options);
// Starts one more node of the cluster that runs in the directory, and admits it.
int add_dev_node(const std::string& directory);
// Lets a node hand over what it holds, and stops it.
int remove_dev_node(const std::string& directory, const std::string& name);

}  // namespace kvorum::server
