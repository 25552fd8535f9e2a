// SPDX-License-Identifier: Apache-2.0
// A node alone with its requests: operations as Coordinator::submit() would leave them, and the
// replicas that a test plays for the machine which has them.
#pragma once

#include <algorithm>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/machine/machine.h"
#include "cluster/version/context.h"
#include "cluster/version/object_codec.h"
#include "tests/cluster/lone_core.h"
#include "tests/cluster/test_cluster.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster::fixtures {

// What a test keeps of a completion.
struct NotedAnswer {
  uint64_t tag = 0;
  Outcome outcome = Outcome::kOk;
  std::string text;
  std::vector<std::string> values;  // all that is shown, `-` for a tombstone
  bool has_object = false;
  std::vector<NodeId> rows;  // kInspect, and which of them answered
  std::vector<bool> rows_answered;
  std::vector<size_t> rows_versions;
  int64_t number = 0;
  bool stored = false;
  bool has_context = false;
  Context context;
  NodeId fastest = 0;
  int acknowledged = 0, needed = 0;
  ServiceRecord service;
};

struct LoneRequests : LoneCore, CompletionSink, Starter {
  static constexpr uint64_t kTimeoutMs = 1000, kQuarterMs = 250;
  static constexpr uint64_t kOrigin = 777;

  explicit LoneRequests(const LoneShape& shape = {}) : LoneCore(with_edits(shape)) {
    core.completions = this;
    core.starter = this;
  }

  // ---- where this node stands
  // The requests are about a key in whose preference list it has that place.
  void stand_at(size_t place) {
    for (int number = 0;; ++number) {
      key = "k" + std::to_string(number);
      if (at(place) == core.self()) return;
    }
  }
  MemberIndex at(size_t place) const { return core.preference_list(ref(key))[place]; }
  void link_all() {
    for (size_t member = 1; member < view->members.size(); ++member) {
      link(static_cast<MemberIndex>(member));
    }
  }
  // Three silences in a row, from now on.
  void suspect(MemberIndex member) {
    for (uint32_t time = 0; time < PeerHealth::kTimeoutsMax; ++time) {
      pass_us(1);
      core.health.timed_out(member, now.steady_us, now.steady_us);
    }
    ASSERT_FALSE(core.health.healthy(member));
  }

  // ---- requests
  Request get() const {
    Request request;
    request.key = ref(key);
    return request;
  }
  Request edit(EditCode code, std::string_view value = "new") const {
    Request request = test_edits::request(code, value);
    request.key = ref(key);
    return request;
  }
  SlotId acquire(Operation::Kind kind, const Request& request, uint64_t tag = 1) {
    SlotId id;
    Operation& operation = core.open.requests.acquire(&id);
    operation.begin(kind, now);
    operation.tag = tag;
    operation.keyspace = request.key.keyspace;
    operation.deadline_us = now.steady_us + core.timeout_ms(request) * 1000ULL;
    operation.forwarded.origin = kind == Operation::Kind::kPut ? kOrigin : 0;
    operation.forwarded.request = request;
    return id;
  }
  Operation& of(SlotId id) { return *core.open.requests.find(id); }
  bool ended(SlotId id) { return core.open.requests.find(id) == nullptr; }

  // ---- what replicas answer; `attempt` of the operation's first reading
  ReplicaReadReply full(const Object& object, uint8_t attempt = 0) {
    ReplicaReadReply reply;
    reply.full = true;
    reply.attempt = attempt;
    reply.digest = versions_digest(object);
    std::string& bytes = objects_.emplace_back();
    encode_object(object, bytes);
    reply.object = bytes;
    return reply;
  }
  static ReplicaReadReply digest(const Object& object, uint8_t attempt = 0) {
    ReplicaReadReply reply;
    reply.attempt = attempt;
    reply.digest = versions_digest(object);
    return reply;
  }
  static ReplicaReadReply verdict(ReplicaVerdict verdict, uint8_t attempt = 0) {
    ReplicaReadReply reply;
    reply.verdict = verdict;
    reply.attempt = attempt;
    return reply;
  }
  static ReplicaWriteReply written(ReplicaVerdict verdict = ReplicaVerdict::kOk) {
    ReplicaWriteReply reply;
    reply.verdict = verdict;
    return reply;
  }
  // It keeps what the blind write did not cover.
  ReplicaWriteReply uncovered(const Object& kept) {
    Context context;
    context.vector = kept.vector;
    std::string& bytes = objects_.emplace_back();
    encode_context(context, bytes);
    ReplicaWriteReply reply = written(ReplicaVerdict::kUncovered);
    reply.vector = bytes;
    return reply;
  }
  void read_reply(RequestMachine& machine, SlotId id, const Answered<ReplicaReadReply>& answer) {
    if (!ended(id)) machine.on_read_reply(id, of(id), answer, now);
  }
  void write_reply(RequestMachine& machine, SlotId id, const Answered<ReplicaWriteReply>& answer) {
    if (!ended(id)) machine.on_write_reply(id, of(id), answer, now);
  }
  void link_down(RequestMachine& machine, SlotId id, MemberIndex peer) {
    link(peer, false);
    if (!ended(id)) machine.on_link_down(id, of(id), peer, now);
  }

  // ---- time
  // Step by step, as the timers come.
  void live_ms(RequestMachine& machine, uint64_t ms) {
    const uint64_t until_us = now.steady_us + ms * 1000;
    for (;;) {
      const uint64_t due_us = core.open.timers.next_due_us();
      const bool more = due_us != 0 && due_us <= until_us;
      pass_us((more ? std::max(due_us, now.steady_us) : until_us) - now.steady_us);
      if (!more) return;
      while (const std::optional<SlotId> id = core.open.timers.take_due(now.steady_us)) {
        if (!ended(*id)) machine.on_timer(*id, of(*id), now);
      }
    }
  }

  // ---- loads
  // The store has read what the only load that is awaited is for, or could not.
  Load end_load(bool ok) {
    EXPECT_EQ(core.outbox.loads.size(), 1u);
    if (core.outbox.loads.empty()) return {};
    const Load load = core.outbox.loads[0];
    core.outbox.loads.clear();
    if (ok) {
      EXPECT_TRUE(table.store_reader().load(load.ref()).ok());
    }
    return load;
  }

  // ---- frames
  ReplicaRead asked(MemberIndex member) { return parsed(only(member), parse_replica_read); }
  ReplicaWrite wrote(MemberIndex member) { return parsed(only(member), parse_replica_write); }
  // The bytes of what such a frame carries, newest first.
  static std::vector<std::string> values_of(const ReplicaWrite& message) {
    Object object;
    EXPECT_TRUE(decode_object(message.object, object));
    return values_of(object);
  }
  static std::vector<std::string> values_of(const Object& object) {
    std::vector<std::string> values;
    for (const Version& version : object.versions) {
      values.emplace_back(version.type == TypeTag::kTombstone ? "-" : version.bytes);
    }
    return values;
  }

  // ---- what the machine tells
  void on_complete(uint64_t tag, const Completion& completion) override {
    NotedAnswer& noted = answers.emplace_back();
    noted.tag = tag;
    noted.outcome = completion.outcome;
    noted.text = completion.text;
    noted.has_object = completion.object != nullptr;
    if (noted.has_object) noted.values = values_of(*completion.object);
    note_rows(completion, noted);
    noted.number = completion.reply_number;
    noted.stored = completion.stored;
    noted.has_context = completion.context != nullptr;
    if (noted.has_context) noted.context = *completion.context;
    noted.fastest = completion.fastest;
    noted.acknowledged = completion.acknowledged;
    noted.needed = completion.needed;
    noted.service = completion.service;
  }
  void run_at(MemberIndex coordinator, SlotId id, Operation&, Now) override {
    passed_on.emplace_back(coordinator, id);
  }
  void on_unreadable(SlotId id, Operation&, Now) override { unreadable.push_back(id); }
  void on_misplaced(SlotId id, Operation&, Now) override { misplaced.push_back(id); }
  void choose_anew(SlotId id, Operation&, Now) override { chosen_anew.push_back(id); }
  // The one answer that there is.
  NotedAnswer answer() const {
    EXPECT_EQ(answers.size(), 1u);
    return answers.empty() ? NotedAnswer{} : answers[0];
  }

  std::string key = "k";
  std::vector<NotedAnswer> answers;
  std::vector<std::pair<MemberIndex, SlotId>> passed_on;
  std::vector<SlotId> unreadable;
  std::vector<SlotId> misplaced;
  std::vector<SlotId> chosen_anew;

 private:
  static LoneShape with_edits(LoneShape shape) {
    shape.adjust_parts = [adjust = shape.adjust_parts](NodeParts& parts) {
      parts.edits = test_edits::table();
      if (adjust) adjust(parts);
    };
    return shape;
  }
  static void note_rows(const Completion& completion, NotedAnswer& noted) {
    if (completion.replicas == nullptr) return;
    for (const ReplicaFacts& facts : *completion.replicas) {
      noted.rows.push_back(facts.node);
      noted.rows_answered.push_back(facts.answered);
      noted.rows_versions.push_back(facts.object.versions.size());
    }
  }

  std::deque<std::string> objects_;
};

// What an earlier run left in the store: the memory of the next one, of a byte, holds none of it.
struct OldStore {
  static constexpr uint64_t kMemoryBytes = 1;

  // Of the key of a LoneRequests that stands at that place, or of "k".
  OldStore(MemberIndex author, std::string_view value, std::optional<size_t> place = {}) {
    LoneRequests before({.store = &store});
    if (place) before.stand_at(*place);
    before.put(before.key, before.object_of(author, 1, value));
    before.put(before.key_in(0, 50), before.object_of(1, 1, "fills the memory"));
    KVORUM_CHECK(before.table.commits().commit(true).ok());
  }
  engine::testing::MapStore store;
};

}  // namespace kvorum::cluster::fixtures
