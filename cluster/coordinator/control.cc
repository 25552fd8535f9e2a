// SPDX-License-Identifier: Apache-2.0
#include "cluster/coordinator/control.h"

#include "base/check.h"

namespace kvorum::cluster {

void Control::on_link(MemberIndex peer, bool up, Now now) {
  anti_entropy_.on_link(peer, up, now);
  if (!up) return;
  hint_replay_.on_link_up(peer, now);
  links_.gossip.on_link_up(peer, now);
}

void Control::publish(Now now) {
  anti_entropy_.publish(now);
  links_.histories.tell_all(now);
  links_.held_copies.publish(now);
  range_dropper_.publish(now);
  mover_.publish(now);
}

void Control::on_scanned(SlotId operation, const ScanPage& page, Now now) {
  if (page.reader == RangeLoad::Reader::kTreeKeeper) return tree_keeper_.on_scanned(page, now);
  if (page.reader == RangeLoad::Reader::kRangeDropper) return range_dropper_.on_scanned(page, now);
  KVORUM_CHECK(page.reader == RangeLoad::Reader::kExchangeAsker);
  anti_entropy_.on_scanned(operation, page, now);
}

void Control::on_time(Now now) {
  hint_replay_.on_time(now);
  links_.gossip.on_time(now);
  links_.agreements.on_time(now);
  links_.histories.on_time(now);
  links_.held_copies.on_time(now);
  anti_entropy_.on_time(now);
  tree_keeper_.on_time(now);
  expiry_.on_time(now);
  range_dropper_.on_time(now);
  mover_.on_time(now);
}

uint64_t Control::next_deadline_us() const {
  uint64_t next = sooner_of(hint_replay_.next_deadline_us(), links_.gossip.next_deadline_us());
  next = sooner_of(next, links_.agreements.next_deadline_us());
  next = sooner_of(next, links_.histories.next_deadline_us());
  next = sooner_of(next, links_.held_copies.next_deadline_us());
  next = sooner_of(next, range_dropper_.next_deadline_us());
  next = sooner_of(next, mover_.next_deadline_us());
  next = sooner_of(next, anti_entropy_.next_deadline_us());
  next = sooner_of(next, tree_keeper_.next_deadline_us());
  return sooner_of(next, expiry_.next_deadline_us());
}

}  // namespace kvorum::cluster
