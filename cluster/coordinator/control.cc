// SPDX-License-Identifier: Apache-2.0
#include "cluster/coordinator/control.h"

#include "base/check.h"

namespace kvorum::cluster {

void Control::on_link(MemberIndex peer, bool up, Now now) {
  anti_entropy_.on_link(peer, up, now);
  if (!up) return;
  hint_replay_.on_link_up(peer, now);
  gossip_.on_link_up(peer, now);
}

void Control::on_scanned(SlotId operation, const ScanPage& page, Now now) {
  if (page.reader == RangeLoad::Reader::kTreeKeeper) return tree_keeper_.on_scanned(page, now);
  KVORUM_CHECK(page.reader == RangeLoad::Reader::kExchangeAsker);
  anti_entropy_.on_scanned(operation, page, now);
}

void Control::on_time(Now now) {
  hint_replay_.on_time(now);
  gossip_.on_time(now);
  agreement_link_.on_time(now);
  anti_entropy_.on_time(now);
  tree_keeper_.on_time(now);
  expiry_.on_time(now);
}

uint64_t Control::next_deadline_us() const {
  uint64_t next = sooner_of(hint_replay_.next_deadline_us(), gossip_.next_deadline_us());
  next = sooner_of(next, agreement_link_.next_deadline_us());
  next = sooner_of(next, anti_entropy_.next_deadline_us());
  next = sooner_of(next, tree_keeper_.next_deadline_us());
  return sooner_of(next, expiry_.next_deadline_us());
}

}  // namespace kvorum::cluster
