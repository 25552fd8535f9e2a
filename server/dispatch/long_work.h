// SPDX-License-Identifier: Apache-2.0
// The node's threads for what takes longer than a reactor may: scripts. Implemented by the reactor,
// to whose thread both belong.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "base/endable_work.h"

namespace kvorum::server {

class LongWork {
 public:
  virtual ~LongWork() = default;
  // Runs it on another thread, and later `done` on this one's. False, with nothing done, where too
  // much waits already.
  virtual bool do_elsewhere(std::shared_ptr<EndableWork> work, std::function<void()> done) = 0;
  // Everything that runs is wanted no more; how much that is.
  virtual size_t end_all() = 0;
};

}  // namespace kvorum::server
