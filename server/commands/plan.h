// SPDX-License-Identifier: Apache-2.0
// A plan is what a handler wants done: answer at once, run operations on keys and make a reply from
// their completions, run an operation on a whole keyspace, or what a transaction needs. The
// dispatcher carries it out: it fills in positions and quorums, splits, gathers and orders. One
// Plan per reactor is used again and again, so that the usual command allocates nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/wire/keyspace_operation.h"
#include "cluster/wire/request.h"
#include "protocol/reply.h"
#include "server/commands/stages.h"

namespace kvorum::server {

class NodeFacts;

// What few commands leave beside that.
class RememberedState {
 public:
  virtual ~RememberedState() = default;
};

// What a handler leaves for its finish function, kept while operations run.
struct Remembered {
  int64_t number = 0;
  int64_t second = 0;
  std::string text;
  std::string gathered;  // over several completions
  std::shared_ptr<const RememberedState> state;

  // Takes over what a plan holds; the usual command left nothing.
  void take(Remembered& other) {
    number = other.number;
    second = other.second;
    gathered.clear();
    text.clear();
    if (!other.text.empty()) text.swap(other.text);
    if (state || other.state) [[unlikely]]
      state = std::move(other.state);
  }
  void clear() {
    number = second = 0;
    text.clear();
    gathered.clear();
    if (state) [[unlikely]]
      state.reset();
  }
};

struct FinishInput {
  const cluster::Completion& completion;  // its outcome is kOk
  const Remembered& remembered;
  NodeFacts& facts;
  uint8_t keyspace;
  std::string_view key;  // only where the plan has keeps_key
};
// The reply may borrow bytes of the completion and of `remembered`: it is written at once.
using Finish = protocol::Reply (*)(const FinishInput& input);

// Of a keyspace operation: a reply, or the same request again from a cursor (KEYS, RANDOMKEY).
struct KeyspaceStep {
  bool again = false;
  uint64_t cursor = 0;
  protocol::Reply reply;
};
using KeyspaceFinish = KeyspaceStep (*)(const cluster::KeyspaceCompletion& completion,
                                        Remembered& remembered);

// Of what every reactor of the node said.
using Join = protocol::Reply (*)(std::string said);

// How the replies of several operations become one. An error of any of them is the whole reply.
enum class Gather : uint8_t {
  kSingle,       // there is only one operation
  kArray,        // an array of the replies, in order
  kSum,          // the sum of integers
  kAllOk,        // +OK
  kConcatenate,  // one after the other, without a header (memcached)
};

// What the connection's transaction is to do (server/transaction).
enum class TransactionVerb : uint8_t { kNone, kMulti, kExec, kDiscard, kWatch, kUnwatch, kForget };

struct Plan {
  enum class Kind : uint8_t { kReply, kOperations, kKeyspace, kEverywhere, kStages, kTransaction };
  Kind kind = Kind::kReply;
  protocol::Reply reply;  // kReply

  std::vector<cluster::Request> requests;  // kOperations: without positions
  // Of a command of very many keys only these are kept: it is planned again for the next of them.
  struct Window {
    size_t first = 0;
    size_t size = SIZE_MAX;
  };
  Window window;
  size_t requests_all = 0;    // with those outside of the window
  bool has_long_key = false;  // one of those outside is longer than keys may be
  cluster::Request outside;   // of the last of them: nobody looks at it
  Finish finish = nullptr;
  Gather gather = Gather::kSingle;
  std::string_view trailer;  // memcached: written after a reply that is no error; static text
  bool keeps_key = false;    // finish needs the key
  // Storage for what requests borrow. Append everything before taking views.
  std::string argument;
  cluster::Context context;

  cluster::KeyspaceRequest keyspace_request;
  KeyspaceFinish keyspace_finish = nullptr;

  // kEverywhere: asked of every reactor of the node; their answers, one behind the other.
  std::function<std::string(NodeFacts& facts)> ask;
  Join join = nullptr;

  // kTransaction, with the keys of WATCH in `requests`; kForget beside a reply.
  TransactionVerb verb = TransactionVerb::kNone;

  // kStages: the first stage is planned by next_stage, too. Rows of such commands have kBarrier.
  NextStage next_stage = nullptr;
  std::vector<std::string> stage_words;
  // Of a stage alone:
  int other_keyspace = -1;            // where its keys are; -1: in the session's
  std::shared_ptr<EndableWork> work;  // instead of operations
  bool starts_over = false;           // what the stages before brought is dropped first

  Remembered remembered;
  uint16_t command = 0;         // the row's number
  bool silent = false;          // memcached's noreply
  bool is_push = false;         // the reply is one: no client silences it
  uint64_t flush_after_ms = 0;  // memcached: flush_all with a delay; beside a reply
  uint64_t again_at_us = 0;     // nothing is done: the request is run again then

  // Requests of more keys than this are not kept in memory for long.
  static constexpr size_t kRequestsKeptMax = 16384;

  void reset();
  void answer(protocol::Reply with) {
    kind = Kind::kReply;
    reply = std::move(with);
  }
  void fail(std::string_view error) { answer(protocol::Reply::error(error)); }
  void fail_owned(std::string error) { answer(protocol::Reply::error_owned(std::move(error))); }

  bool is_partial() const { return requests.size() < requests_all; }
  // Where the request is outside of the window, what is returned is dropped.
  cluster::Request& add(cluster::Request::Kind request_kind, std::string_view key, Finish make);
  cluster::Request& add_outside(std::string_view key);
  cluster::Request& read(std::string_view key, Finish make) {
    return add(cluster::Request::Kind::kRead, key, make);
  }
  cluster::Request& edit(std::string_view key, cluster::EditCode code, Finish make) {
    cluster::Request& request = add(cluster::Request::Kind::kEdit, key, make);
    request.edit = code;
    return request;
  }
  void whole_keyspace(cluster::KeyspaceRequest::Kind request_kind, KeyspaceFinish make);
  void transaction(TransactionVerb what) {
    kind = Kind::kTransaction;
    verb = what;
  }
  void in_stages(std::span<const std::string_view> words, NextStage next) {
    kind = Kind::kStages;
    next_stage = next;
    stage_words.assign(words.begin(), words.end());
  }
  void everywhere(std::function<std::string(NodeFacts& facts)> question, Join make) {
    kind = Kind::kEverywhere;
    ask = std::move(question);
    join = make;
  }
};

inline void Plan::reset() {
  kind = Kind::kReply;
  if (reply.kind() != protocol::Reply::Kind::kNone) reply = protocol::Reply::none();
  const bool was_large = requests.size() > kRequestsKeptMax;  // it may be planned again
  requests.clear();
  if (requests.capacity() > kRequestsKeptMax && !was_large) [[unlikely]]
    requests.shrink_to_fit();
  window = {};
  requests_all = 0;
  has_long_key = false;
  gather = Gather::kSingle;
  trailer = {};
  keeps_key = false;
  argument.clear();
  remembered.clear();
  verb = TransactionVerb::kNone;
  silent = is_push = false;
  flush_after_ms = 0;
  again_at_us = 0;
}

inline cluster::Request& Plan::add(cluster::Request::Kind request_kind, std::string_view key,
                                   Finish make) {
  kind = Kind::kOperations;
  finish = make;
  if (requests_all++ - window.first >= window.size) [[unlikely]]
    return add_outside(key);
  cluster::Request& request = requests.emplace_back();
  request.kind = request_kind;
  request.key.key = key;
  return request;
}

inline cluster::Request& Plan::add_outside(std::string_view key) {
  if (key.size() > kKeyBytesMax) has_long_key = true;
  return outside;
}

inline void Plan::whole_keyspace(cluster::KeyspaceRequest::Kind request_kind, KeyspaceFinish make) {
  kind = Kind::kKeyspace;
  keyspace_request = {};
  keyspace_request.kind = request_kind;
  keyspace_finish = make;
}

}  // namespace kvorum::server
