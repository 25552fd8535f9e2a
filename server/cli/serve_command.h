// SPDX-License-Identifier: Apache-2.0
// `kvorum serve`: one node in the foreground until SIGTERM or SIGINT.
#pragma once

#include <string>

#include "server/config/config.h"

namespace kvorum::server {

struct ServeOptions {
  std::string config_file;  // empty: the configuration without a file
  std::string preset;       // presets.h, in place of a file; empty: none
  Overrides overrides;
};

// The exit status.
int serve(const ServeOptions& options);

}  // namespace kvorum::server
