// SPDX-License-Identifier: Apache-2.0
#include "cluster/keyspace/flush_operation.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kLookUs = 1000;  // how often a stored generation is looked for

KeyspaceMask keyspaces_of(const KeyspaceRequest& request) {
  if (request.all_keyspaces) return kAllKeyspaces;
  return mask_of(request.keyspace);
}

// One entry per author: the highest.
void join_clocks(FlushMark& clocks) {
  std::sort(clocks.begin(), clocks.end(), [](const FlushMarkEntry& a, const FlushMarkEntry& b) {
    if (a.node != b.node) return a.node < b.node;
    if (a.incarnation != b.incarnation) return a.incarnation < b.incarnation;
    return a.hlc > b.hlc;
  });
  const auto same_author = [](const FlushMarkEntry& a, const FlushMarkEntry& b) {
    return a.node == b.node && a.incarnation == b.incarnation;
  };
  clocks.erase(std::unique(clocks.begin(), clocks.end(), same_author), clocks.end());
  std::erase_if(clocks, [](const FlushMarkEntry& entry) { return entry.hlc.value == 0; });
}

}  // namespace

// What this node has seen of every author. Of itself it says a reading above all its dots, and
// mints above that.
FlushMark FlushOperations::own_clocks(Now now) {
  FlushMark clocks;
  const AuthorTable& authors = *core_.parts.authors;
  const uint32_t known = authors.size();
  for (uint32_t index = 0; index < known; ++index) {
    const Author& author = authors.at(static_cast<AuthorTable::Index>(index));
    const Hlc highest{author.highest_hlc.load(std::memory_order_relaxed)};
    if (author.node == core_.self_id() && author.incarnation == core_.parts.current_incarnation()) {
      core_.parts.clock->mint_above(highest);
    } else if (highest.value != 0 && author.node != 0) {
      clocks.push_back({author.node, author.incarnation, highest});
    }
  }
  const Hlc clock = core_.parts.clock->mint(core_.parts.clock->tick(now.wall_ms));
  clocks.push_back({core_.self_id(), core_.parts.current_incarnation(), clock});
  return clocks;
}

void FlushOperations::submit(const KeyspaceRequest& request, uint64_t tag, Now now) {
  const uint64_t timeout_us = core_.timeout_us(request);
  SlotId id;
  Flush& flush = flushes_.acquire(&id);
  flush.tag = tag;
  flush.keyspaces = keyspaces_of(request);
  flush.phase = Phase::kClocks;
  flush.unheard = false;
  flush.deadline_us = now.steady_us + timeout_us;
  flush.patient_until_us = now.steady_us + timeout_us / 2;
  flush.generation = 0;
  flush.members.assign(core_.members(), Asked::kFailed);
  flush.clocks = own_clocks(now);
  for (const MemberIndex member : core_.reachable_others()) {
    flush.members[member] = Asked::kWaiting;
    put_flush_clocks(core_.outbox.frames(member), id);
  }
  step(id, flush, now);
}

void FlushOperations::on_clocks_question(LinkIndex from, SlotId operation, Now now) {
  put_flush_clocks_reply(core_.outbox.frames(from), operation, own_clocks(now));
}

void FlushOperations::on_clocks(MemberIndex from, SlotId id, const FlushMark& clocks, Now now) {
  Flush* flush = flushes_.find(id);
  if (!flush || flush->phase != Phase::kClocks) return;  // too late
  if (from >= flush->members.size() || flush->members[from] != Asked::kWaiting) return;
  flush->members[from] = Asked::kAnswered;
  flush->clocks.insert(flush->clocks.end(), clocks.begin(), clocks.end());
  step(id, *flush, now);
}

bool FlushOperations::waiting(const Flush& flush) const {
  return std::find(flush.members.begin(), flush.members.end(), Asked::kWaiting) !=
         flush.members.end();
}

void FlushOperations::step(SlotId id, Flush& flush, Now now) {
  const bool late = now.steady_us >= flush.deadline_us;
  if (flush.phase == Phase::kClocks) {
    if (waiting(flush) && now.steady_us < flush.patient_until_us) return;
    flush.unheard = waiting(flush);
    begin_marking(id, flush, now);
  }
  const bool stored = core_.parts.marks->stored() >= flush.generation;
  if (!waiting(flush) && stored) {
    complete(id, flush, flush.unheard ? Outcome::kUncertain : Outcome::kOk);
  } else if (late) {
    complete(id, flush, Outcome::kUncertain);
  }
}

void FlushOperations::begin_marking(SlotId id, Flush& flush, Now now) {
  KVORUM_CHECK(flush.phase == Phase::kClocks);  // a flush makes one mark
  flush.phase = Phase::kMarking;
  look_at_us_ = now.steady_us + kLookUs;
  join_clocks(flush.clocks);
  core_.parts.marks->flush(flush.keyspaces, flush.clocks, [&] {
    const Hlc reading = core_.parts.clock->mint(core_.parts.clock->tick(now.wall_ms));
    return FlushMarkEntry{core_.self_id(), core_.parts.current_incarnation(), reading};
  });
  flush.generation = core_.parts.marks->generation();
  std::string mark;
  encode_mark(flush.keyspaces, flush.clocks, mark);
  for (size_t at = 0; at < flush.members.size(); ++at) {
    const auto member = static_cast<MemberIndex>(at);
    if (member == core_.self() || !core_.reachable(member)) continue;
    flush.members[member] = Asked::kWaiting;
    put_flush_mark(core_.outbox.frames(member), id, mark);
  }
}

bool FlushOperations::on_mark(LinkIndex from, SlotId operation, std::string_view marks, Now now) {
  FlushMarkEntry own{core_.self_id(), core_.parts.current_incarnation(), {}};
  if (!core_.parts.marks->merge_encoded(marks, &own)) return false;
  core_.parts.clock->mint_above(own.hlc);  // what this node writes from now on is not covered
  if (operation == 0) return true;
  look_at_us_ = now.steady_us + kLookUs;
  unstored_.push_back({from, operation, core_.parts.marks->generation()});
  acknowledge_stored();
  return true;
}

void FlushOperations::acknowledge_stored() {
  const uint64_t stored = core_.parts.marks->stored();
  KVORUM_CHECK(stored <= core_.parts.marks->generation());
  std::erase_if(unstored_, [&](const Unstored& mark) {
    if (mark.generation > stored) return false;
    put_flush_mark_reply(core_.outbox.frames(mark.from), mark.operation);
    return true;
  });
}

void FlushOperations::on_marked(MemberIndex from, SlotId id, Now now) {
  Flush* flush = flushes_.find(id);
  if (!flush || flush->phase != Phase::kMarking || from >= flush->members.size()) return;
  if (flush->members[from] == Asked::kWaiting) flush->members[from] = Asked::kAnswered;
  step(id, *flush, now);
}

void FlushOperations::on_peer_up(MemberIndex peer) {
  std::string marks;
  core_.parts.marks->encode(marks);
  if (!marks.empty()) put_flush_mark(core_.outbox.frames(peer), 0, marks);
}

void FlushOperations::on_peer_down(MemberIndex peer, Now now) {
  std::erase_if(unstored_, [peer](const Unstored& mark) { return mark.from == peer; });
  flushes_.for_each([&](SlotId id, Flush& flush) {
    if (peer >= flush.members.size() || flush.members[peer] != Asked::kWaiting) return;
    flush.members[peer] = Asked::kFailed;
    step(id, flush, now);
  });
}

void FlushOperations::on_time(Now now) {
  acknowledge_stored();
  look_at_us_ = now.steady_us + kLookUs;
  flushes_.for_each([&](SlotId id, Flush& flush) { step(id, flush, now); });
}

uint64_t FlushOperations::next_deadline_us() {
  uint64_t next = unstored_.empty() ? 0 : look_at_us_;
  if (flushes_.used() == 0) return next;
  flushes_.for_each([&](SlotId, Flush& flush) {
    const bool stored = core_.parts.marks->stored() >= flush.generation;
    const bool asking = flush.phase == Phase::kClocks;
    next = sooner_of(next, asking ? flush.patient_until_us : flush.deadline_us);
    // What is stored by now, and acknowledged by all, waits for nothing but a look.
    if (!asking && (!stored || !waiting(flush))) next = sooner_of(next, look_at_us_);
  });
  return next;
}

void FlushOperations::complete(SlotId id, Flush& flush, Outcome outcome) {
  KVORUM_CHECK(flush.phase == Phase::kMarking && core_.sink != nullptr);
  const auto answered = std::count(flush.members.begin(), flush.members.end(), Asked::kAnswered);
  const auto silent = std::count(flush.members.begin(), flush.members.end(), Asked::kWaiting);
  std::string text;
  if (outcome != Outcome::kOk) {
    text = std::to_string(answered + 1) + " of " + std::to_string(answered + silent + 1) +
           " reachable nodes acknowledged the flush";
  }
  KeyspaceCompletion completion;
  completion.outcome = outcome;
  completion.text = text;
  const uint64_t tag = flush.tag;
  flushes_.release(id);
  core_.sink->on_keyspace_complete(tag, completion);
}

}  // namespace kvorum::cluster
