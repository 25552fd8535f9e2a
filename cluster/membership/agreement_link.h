// SPDX-License-Identifier: Apache-2.0
// Tells every other node this one's configuration, and hears theirs, for the node's Agreement. It
// is the first frame on each link, before any request, so whoever serves a request knows how its
// sender treats concurrent versions: where that differs in a keyspace, requests for copies are
// refused (is_foreign()), since one of both would drop what the other has to keep. Told again when
// this node's copies are whole, or its configuration has come into force. Private to cluster/;
// owned by the coordinator.
//
//   kTelling       encode_telling() --> heard, answered
//   kTellingReply  of the other side --> heard
#pragma once

#include "cluster/machine/core.h"

namespace kvorum::cluster {

class AgreementLink {
 public:
  explicit AgreementLink(Core& core) : core_(core) {}

  void on_link(MemberIndex peer, bool up, Now now);
  // False where the frame is malformed.
  bool on_message(LinkIndex from, const Frame& frame, Now now);
  void on_time(Now now);
  uint64_t next_deadline_us() const;

  // The node behind this link treats the keyspace's concurrent versions otherwise.
  bool is_foreign(LinkIndex link, uint8_t keyspace) const {
    if (!any_foreign_ || keyspace >= kKeyspacesMax) return false;
    const KeyspaceMask* const differing = foreign_.find(link);
    return differing != nullptr && (*differing >> keyspace & 1) != 0;
  }

 private:
  static constexpr uint64_t kLookUs = 200'000;

  bool active() const;
  bool is_caught_up() const;
  void tell(LinkIndex to, MessageType type);

  Core& core_;
  bool any_foreign_ = false;
  ByLink<KeyspaceMask> foreign_;
  uint64_t due_us_ = 0;
  bool told_in_force_ = false, told_caught_up_ = false;
};

}  // namespace kvorum::cluster
