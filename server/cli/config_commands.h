// SPDX-License-Identifier: Apache-2.0
// `kvorum config check FILE` and `kvorum config show [FILE]`.
#pragma once

#include <string>

#include "server/config/config.h"

namespace kvorum::server {

// The exit status: kExitUsage where there is a mistake; with `strict` kExitFailed where there are
// only warnings.
int check_config(const std::string& file, bool strict);
int show_config_of(const std::string& file, const Overrides& overrides);

}  // namespace kvorum::server
