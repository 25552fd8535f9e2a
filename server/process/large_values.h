// SPDX-License-Identifier: Apache-2.0
// Reports values over limits.value_warn in the log, one line for many. Owned by the node; any
// thread may call it.
#pragma once

#include <string>
#include <string_view>

#include "base/mutex.h"
#include "server/process/logging.h"

namespace kvorum::server {

class LargeValues {
 public:
  // `bytes` of a value were written to `key`. Returns the line where one was logged.
  std::string tell(std::string_view key, uint64_t bytes, uint64_t now_us);

 private:
  Mutex mutex_;
  LogGates gates_ KVORUM_GUARDED_BY(mutex_);
};

}  // namespace kvorum::server
