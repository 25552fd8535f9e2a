// SPDX-License-Identifier: Apache-2.0
// Whether background work may go on now: hints, anti-entropy, scrub and reaping ask before each
// batch (paper 6.5, the admission controller: admission_controller.h). The machines have limits of
// their own on what is in flight; a budget can only slow them down. Shared by the machines of a
// node (NodeParts), handed in by the shell.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace kvorum::cluster {

enum class BackgroundWork : uint8_t { kHints, kAntiEntropy, kScrub, kReaping };
inline constexpr size_t kBackgroundWorks = 4;

class BackgroundBudget {
 public:
  virtual ~BackgroundBudget() = default;
  // Microseconds until a batch of about so many bytes may begin; 0: now, and it counts as begun.
  virtual uint64_t wait_us(BackgroundWork work, size_t bytes, Now now) = 0;
  // At what part of full speed work of this kind goes on, since it was put off a moment ago; 100:
  // it was not.
  virtual uint8_t percent(BackgroundWork /*work*/, Now /*now*/) { return 100; }
};

}  // namespace kvorum::cluster
