// SPDX-License-Identifier: Apache-2.0
// A child of `kvorum dev`: this very binary with other arguments, its output in a file. It is in a
// process group of its own, so that Ctrl-C reaches the parent alone, and ends when the parent does.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/status.h"

namespace kvorum::server {

struct ChildProcess {
  std::string name = {};
  pid_t pid = -1;          // -1: it has ended
  bool dismissed = false;  // was told to end, and is not missed
};

Result<ChildProcess> start_child(const std::string& name, const std::vector<std::string>& arguments,
                                 const std::string& log_file);
// How a process ended, from waitpid(): "exited with status 1", "was killed by signal 9".
std::string end_text(int wait_status);

}  // namespace kvorum::server
