// SPDX-License-Identifier: Apache-2.0
// Texts that all nodes share (SharedTexts, node_parts.h): one that this node lacks is found at any
// node that has it, and all are dropped everywhere. A node that cannot be reached, or that is too
// old for the question, is not asked. Owned by the keyspace machine.
//
//   kFindText:      the name            kDropTexts:      nothing
//   kFindTextReply: u8 found, the text  kDropTextsReply: nothing
//
// And libraries (SharedLibraries), of which every node has all. Two nodes that meet compare digests
// and send each other what they have where those differ; one that changed them tells the others.
//
//   kLibrariesDigest:      u64               kLibraries:      all of them
//   kLibrariesDigestReply: all of them, or   kLibrariesReply: nothing
//                          nothing if none differs
#pragma once

#include <string_view>
#include <vector>

#include "base/slot_map.h"
#include "cluster/keyspace/keyspace_core.h"

namespace kvorum::cluster {

class TextOperations {
 public:
  explicit TextOperations(KeyspaceCore& core) : core_(core) {}

  void submit(const KeyspaceRequest& request, uint64_t tag, Now now);
  // The answering side: the frame is one of the questions. False where it is malformed.
  bool on_question(LinkIndex from, const Frame& frame);
  // False where the answer is malformed.
  bool on_answer(MemberIndex from, const Frame& frame);
  void on_peer_up(MemberIndex peer);
  void on_peer_down(MemberIndex peer);
  void on_time(Now now);
  uint64_t next_deadline_us();
  size_t open() const { return operations_.used(); }

 private:
  bool on_digest(LinkIndex from, const Frame& frame);
  bool merge(std::string_view libraries);

  struct Operation {
    uint64_t tag;
    uint64_t deadline_us;
    std::vector<MemberIndex> waits_for;
  };
  void settle(SlotId id, Operation& operation, MemberIndex member);
  void end(SlotId id, Operation& operation, std::string_view* text);

  KeyspaceCore& core_;
  SlotMap<Operation> operations_{0, core_.options.reactor};
};

}  // namespace kvorum::cluster
