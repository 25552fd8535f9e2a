// SPDX-License-Identifier: Apache-2.0
// A command that needs several rounds of operations: RENAME reads a key, then writes another one,
// then deletes the first. The operations of one stage run side by side. When all of them are there,
// the command's function is called again: it plans the next stage or the reply. An operation that
// fails ends the command with its error; what the stages before wrote stays. A stage may also be an
// operation on a keyspace, or work that takes long and needs nothing of the node. Such a command
// runs alone in its connection's pipeline, and to its end though its client may go. Values; owned
// by the dispatcher's StageRunner from the first stage on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/endable_work.h"
#include "base/shared_bytes.h"
#include "cluster/version/object.h"
#include "protocol/resp_writer.h"

namespace kvorum::server {

class NodeFacts;
struct Plan;

// What one operation of a stage brought.
struct StageResult {
  // Of a read: what a client sees, of several siblings the newest.
  size_t siblings = 0;
  uint32_t flags = 0;
  uint64_t deadline_ms = 0;
  // Of an edit, as it said.
  uint8_t reply_code = 0;
  int64_t reply_number = 0;
  // What was read, or what the edit made: a later write under it replaces that and nothing else.
  cluster::Context context;

  SharedBytes owner;  // of a large value; else it is copied
  std::string_view shared;
  std::string copy;

  bool found() const { return siblings > 0; }
  std::string_view bytes() const { return owner ? shared : std::string_view(copy); }
};

// What a command keeps from one stage to the next, beside what its operations brought.
class StageState {
 public:
  virtual ~StageState() = default;
};

struct StageCall {
  const std::vector<std::string>& words;  // of the command
  std::unique_ptr<StageState>& state;     // null at first
  // Of each stage that is done, what its operations brought, in their order.
  const std::vector<std::vector<StageResult>>& done;
  NodeFacts& facts;
  uint8_t keyspace;            // the session's
  protocol::RespVersion resp;  // likewise
  uint64_t now_ms;             // the hybrid clock

  size_t stage() const { return done.size(); }
  const std::vector<StageResult>& results() const { return done.back(); }
};

// Keys, arguments and values of what it plans may borrow from the words and from what is done,
// which stay until the command ends.
using NextStage = void (*)(const StageCall& call, Plan& plan);

}  // namespace kvorum::server
