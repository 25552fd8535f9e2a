// SPDX-License-Identifier: Apache-2.0
// A new run mints no dot before it has heard from another member: what runs before it
// vouched for lies below the frontier, where a version that a clock set back makes would pass for
// one long deleted. Others remember it (frontier_rounds.h) and say so as soon as a link is up. A
// node that reaches nobody does not wait for long: it is alone, and always writable. Owned by the
// core of a coordinator; private to cluster/.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace kvorum::cluster {

class FrontierProtocol;

class FirstContact {
 public:
  static constexpr uint64_t kGraceUs = 2'000'000;  // of the run
  static constexpr uint64_t kLookUs = 2'000;       // after so long a waiting put looks again

  // Without a frontier (a lone member, no gossip) there is nothing to hear.
  explicit FirstContact(const FrontierProtocol* frontier) : frontier_(frontier) {}

  // Periodically, from the start of the run on.
  void on_time(Now now) {
    if (until_us_ == 0) until_us_ = now.steady_us + kGraceUs;
  }
  // Links may be missing that will soon be there.
  bool young(Now now) const {
    return frontier_ != nullptr && (until_us_ == 0 || now.steady_us < until_us_);
  }
  // Puts may run.
  bool made(Now now) { return made_ || look(now); }

 private:
  bool look(Now now);

  const FrontierProtocol* const frontier_;
  bool made_ = false;
  uint64_t until_us_ = 0;
};

}  // namespace kvorum::cluster
