// SPDX-License-Identifier: Apache-2.0
// While partitions move, a node asks their owners twice a second, and more often at first, what
// they hold of them, so that any node can show how far each transfer is, and for what it waits
// (ToldCopies). In a large cluster it asks less often, so that no more than a hundred questions a
// second leave it. Nothing depends on the answers. Members of the releases before are not asked.
// Private to cluster/; owned by the coordinator.
//
//   kHeldCopies       --> answered by every coordinator
//   kHeldCopiesReply  --> noted
#pragma once

#include <vector>

#include "cluster/machine/core.h"
#include "cluster/wire/held_copies.h"

namespace kvorum::cluster {

class HeldCopiesLink {
 public:
  static constexpr uint64_t kAskUs = 500'000;
  static constexpr uint64_t kAskEachUs = 10'000;  // at least, times the members asked
  static constexpr uint64_t kFirstUs = 50'000;    // a change is known to the others by then
  static constexpr uint64_t kKeptUs = 200'000;    // an answer, for all who ask

  explicit HeldCopiesLink(Core& core);

  // False where the frame is malformed.
  bool on_message(LinkIndex from, const Frame& frame, Now now);
  // Of the coordinator that has the control.
  void publish(Now now);
  void on_time(Now now);
  uint64_t next_deadline_us() const { return due_us_; }

 private:
  void answer(LinkIndex to, Now now);
  void note_owners();

  Core& core_;
  SetId newest_set_;
  uint64_t due_us_ = 0;              // 0: nothing moves
  uint64_t pause_us_ = kFirstUs;     // before the question that is due
  std::vector<MemberIndex> owners_;  // of what moves, in the order of members
  HeldCopies answer_;
  uint64_t answer_generation_ = 0;  // the view's
  uint64_t answered_us_ = 0;        // 0: never
};

}  // namespace kvorum::cluster
