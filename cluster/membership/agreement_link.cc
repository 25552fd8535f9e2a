// SPDX-License-Identifier: Apache-2.0
#include "cluster/membership/agreement_link.h"

#include "base/check.h"

namespace kvorum::cluster {

bool AgreementLink::active() const {
  return core_.parts.agreement != nullptr && core_.view->is_member() &&
         core_.view->members.size() > 1;
}

bool AgreementLink::is_caught_up() const {
  return core_.parts.whole == nullptr || core_.parts.whole->missing() == 0;
}

void AgreementLink::tell(LinkIndex to, MessageType type) {
  KVORUM_CHECK(active());
  FrameWriter frame(core_.outbox.frames(to), {type, 0, 0, 0});
  encode_telling(core_.parts.agreement->own_telling(), frame.out());
  frame.finish();
}

void AgreementLink::on_link(MemberIndex peer, bool up, Now now) {
  if (!active()) return;
  core_.parts.agreement->on_link(peer, up, now);
  if (up) tell(peer, MessageType::kTelling);
}

bool AgreementLink::on_message(LinkIndex from, const Frame& frame, Now now) {
  if (!active()) return true;
  Telling telling;
  if (!decode_telling(frame.payload, &telling)) return false;
  const KeyspaceMask differing =
      differing_conflicts(telling.configuration, configuration_of(*core_.view));
  foreign_.at(from) = differing;
  any_foreign_ |= differing != 0;
  core_.parts.agreement->on_told(telling, now);
  if (frame.head.type == MessageType::kTelling) tell(from, MessageType::kTellingReply);
  return true;
}

void AgreementLink::on_time(Now now) {
  if (!active() || now.steady_us < due_us_) return;
  due_us_ = now.steady_us + kLookUs;
  Agreement& agreement = *core_.parts.agreement;
  agreement.look(now);
  const bool in_force = agreement.in_force();
  const bool caught_up = is_caught_up();
  if (in_force == told_in_force_ && caught_up == told_caught_up_) return;
  told_in_force_ = in_force;
  told_caught_up_ = caught_up;
  for (MemberIndex member = 0; member < core_.view->members.size(); ++member) {
    if (member != core_.self() && core_.health.linked(member)) tell(member, MessageType::kTelling);
  }
}

uint64_t AgreementLink::next_deadline_us() const {
  if (!active()) return 0;
  const bool settled = told_in_force_ && told_caught_up_ && !core_.parts.is_moving() &&
                       core_.parts.agreement->in_force() && is_caught_up();
  return settled ? 0 : std::max<uint64_t>(due_us_, 1);
}

}  // namespace kvorum::cluster
