// SPDX-License-Identifier: Apache-2.0
#include "cluster/membership/held_copies_link.h"

#include <algorithm>
#include <utility>

#include "cluster/own/own_held_copies.h"

namespace kvorum::cluster {

HeldCopiesLink::HeldCopiesLink(Core& core) : core_(core), newest_set_(core.view->newest_set) {
  if (core_.parts.told_copies == nullptr || core_.view->moving.empty()) return;
  note_owners();
  due_us_ = kFirstUs;  // of a clock that began long ago: at once
}

void HeldCopiesLink::note_owners() {
  std::vector<bool> owns(core_.view->members.size());
  for (const MovingPartition& moving : core_.view->moving) {
    for (const SetsInPlay& sets : *moving.classes) {
      for (const MemberIndex owner : sets.owners) owns[owner] = true;
    }
  }
  owns[core_.self()] = false;
  owners_.clear();
  for (MemberIndex member = 0; member < owns.size(); ++member) {
    if (owns[member]) owners_.push_back(member);
  }
}

void HeldCopiesLink::publish(Now now) {
  ToldCopies* const told = core_.parts.told_copies;
  if (told == nullptr || !core_.view->is_member()) return;
  const bool moves = !core_.view->moving.empty();
  // What was said under another set was about other moves.
  const bool is_new = std::exchange(newest_set_, core_.view->newest_set) != core_.view->newest_set;
  if (is_new || !moves) told->clear();
  if (!moves) {
    due_us_ = 0;
    owners_.clear();
    return;
  }
  note_owners();
  if (!is_new && due_us_ != 0) return;
  pause_us_ = kFirstUs;
  due_us_ = now.steady_us + pause_us_;
}

void HeldCopiesLink::on_time(Now now) {
  if (due_us_ == 0 || now.steady_us < due_us_) return;
  uint64_t asked = 0;
  for (const MemberIndex member : owners_) {
    if (!core_.health.linked(member)) continue;
    if (core_.health.version(member) < kHeldCopiesVersion) continue;
    put_held_copies_question(core_.outbox.frames(member));
    ++asked;
  }
  pause_us_ = std::min(2 * pause_us_, kAskUs);  // newcomers have no links at first
  due_us_ = now.steady_us + std::max(pause_us_, asked * kAskEachUs);
}

bool HeldCopiesLink::on_message(LinkIndex from, const Frame& frame, Now now) {
  if (frame.head.type == MessageType::kHeldCopies) {
    if (!parse_held_copies_question(frame)) return false;
    answer(from, now);
    return true;
  }
  HeldCopies held;
  if (!parse_held_copies(frame, core_.view->ring.partitions(), &held)) return false;
  if (from.member() >= core_.view->members.size()) return false;
  const bool is_awaited = core_.parts.told_copies != nullptr && due_us_ != 0;
  if (is_awaited) core_.parts.told_copies->tell(from.member(), std::move(held));
  return true;
}

void HeldCopiesLink::answer(LinkIndex to, Now now) {
  if (!core_.view->is_member()) return;
  const bool is_fresh = answered_us_ != 0 && answer_generation_ == core_.view->generation &&
                        now.steady_us < answered_us_ + kKeptUs;
  if (!is_fresh) {
    answer_ = own_held_copies(*core_.view, *core_.parts.table);
    if (core_.parts.budget != nullptr) {
      answer_.background_percent = core_.parts.budget->percent(BackgroundWork::kAntiEntropy, now);
    }
    answered_us_ = now.steady_us;
    answer_generation_ = core_.view->generation;
  }
  put_held_copies(core_.outbox.frames(to), answer_);
}

}  // namespace kvorum::cluster
