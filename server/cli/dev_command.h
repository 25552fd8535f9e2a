// SPDX-License-Identifier: Apache-2.0
// `kvorum dev`: a cluster of child processes on this machine, in the foreground until SIGINT or
// SIGTERM. A child that dies is reported, and the others go on.
#pragma once

#include <optional>
#include <string>

namespace kvorum::server {

struct DevOptions {
  int nodes = 3;
  std::string data_directory = "./data/dev";
  std::optional<int> base_port;  // of redis of the first node; the other ports shift with it
  std::string engine = "leveldb";
};

// The exit status.
int run_dev(const DevOptions& options);

}  // namespace kvorum::server
