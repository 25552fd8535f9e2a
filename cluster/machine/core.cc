// SPDX-License-Identifier: Apache-2.0
#include "cluster/machine/core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/contains.h"
#include "base/give_back.h"
#include "cluster/machine/large_frames.h"

namespace kvorum::cluster {
namespace {

uint8_t clamp_u8(size_t count) { return static_cast<uint8_t>(std::min<size_t>(count, 255)); }

// An edit that an earlier coordinator may have run, or whose first of two writes is out already.
bool may_be_stored(const Operation& operation) {
  if (operation.request().kind != Request::Kind::kEdit) return false;
  const size_t asked_now = operation.kind == Operation::Kind::kForward ? 1 : 0;
  const Route& route = operation.route;
  const bool wrote = operation.was_put() && operation.writing.second_write_done;
  return wrote || route.tried.size() > asked_now + route.refusals;
}

}  // namespace

bool is_refusal(Outcome outcome) {
  switch (outcome) {
    case Outcome::kNoQuorum:
    case Outcome::kTooManySiblings:
    case Outcome::kStoreFailed:
    case Outcome::kOutOfMemory:
    case Outcome::kClusterDown:
      return true;
    case Outcome::kOk:
    case Outcome::kRejected:
    case Outcome::kUncertain:
    case Outcome::kNotOwner:
      break;
  }
  return false;
}

Core::Core(const NodeParts& node_parts, std::shared_ptr<const ClusterView> first_view,
           const CoordinatorOptions& coordinator_options, uint64_t rng_seed)
    : parts(node_parts),
      view(std::move(first_view)),
      options(coordinator_options),
      rng(rng_seed),
      contact(view->members.size() > 1 ? node_parts.frontier : nullptr),
      hints(*node_parts.hints) {
  KVORUM_CHECK(parts.table && parts.authors && parts.marks && parts.clock);
  health.resize(view->members.size(), view->self, 0);
  note_zones();
}

void Core::publish(std::shared_ptr<const ClusterView> later, Now now) {
  KVORUM_CHECK(later->follows(*view));
  view = std::move(later);
  health.resize(view->members.size(), view->self, now.steady_us);
  note_zones();
}

void Core::note_zones() {
  if (!view->is_member()) return;
  const std::string& here = view->members[self()].zone;
  for (size_t at = 0; at < view->members.size(); ++at) {
    const std::string& zone = view->members[at].zone;
    health.set_far(static_cast<MemberIndex>(at), !here.empty() && !zone.empty() && zone != here);
  }
}

bool Core::is_primary(MemberIndex member, const KeyRef& key) const {
  return view->is_primary(member, key.keyspace, partition_for(key));
}

EffectiveQuorum Core::coordinating_quorum(const KeyRef& key) const {
  const SetsInPlay* const sets = sets_in_play(key);
  if (sets == nullptr) return view->quorum(key.keyspace);
  const OwnerSet& oldest = sets->sets[0];
  return {static_cast<uint8_t>(oldest.owners.size()), oldest.r, oldest.w};
}

bool Core::coordinates(MemberIndex member, const KeyRef& key) const {
  return contains(coordinators(key), member);
}

void Core::load(SlotId id, const KeyRef& key) {
  outbox.loads.push_back({id, std::string(key.key), key.position, key.keyspace});
}

void Core::note_clean(uint8_t keyspace, std::span<const uint32_t> partitions,
                      const CleanExchange& exchange) {
  if (parts.exchanges == nullptr) return;
  std::vector<uint32_t> undamaged(partitions.begin(), partitions.end());
  std::erase_if(undamaged,
                [&](uint32_t partition) { return parts.is_damaged(keyspace, partition); });
  if (!undamaged.empty()) parts.exchanges->note(keyspace, undamaged, exchange);
}

bool Core::awaits_newcomers(SlotId id, Operation& operation, Now now) {
  constexpr uint64_t kLookUs = 2'000;
  if (!health.expects_any(now.steady_us)) return false;
  if (now.steady_us + 2 * quarter_us(operation) >= operation.deadline_us) return false;
  const KeyRef& key = operation.request().key;
  const bool edit = operation.request().kind == Request::Kind::kEdit;
  const bool lacks =
      lacks_newcomers({*view, health, now.steady_us}, key) ||
      (edit && lacks_newcomers({*view, health, now.steady_us, Purpose::kWrite}, key));
  if (!lacks) return false;
  operation.phase = Operation::Phase::kLinking;
  open.timers.add(now.steady_us, kLookUs, id);
  return true;
}

void Core::pause_contended(SlotId id, Operation& operation, Now now) {
  constexpr uint64_t kPauseUs = 1000;
  constexpr uint8_t kDoublings = 4;
  uint8_t& contentions = operation.reading.contentions;
  const uint64_t pause_us = kPauseUs << std::min(contentions, kDoublings);
  if (contentions < UINT8_MAX) ++contentions;
  operation.phase = Operation::Phase::kContended;
  open.timers.add(now.steady_us, pause_us / 2 + rng.below(pause_us), id);
}

// Who answered, for KV.LASTOP and the texts of errors.
void Core::count_votes(const Operation& operation, Completion& completion) {
  ServiceRecord& service = completion.service;
  service.coordinator = self_id();
  const bool put = operation.kind == Operation::Kind::kPut;
  if (put) service.hints = operation.writing.hints_left;
  // A put that fails for its reading tells of that.
  const bool writes = put && operation.phase != Operation::Phase::kReading;
  const WriteTally& write = operation.writing.tally;
  const ReadTally& read = operation.reading.tally;
  const Answers answers = answers_of(operation.inspection ? operation.inspection->targets
                                     : writes             ? write.targets
                                                          : read.targets);
  service.primaries = clamp_u8(answers.primaries);
  service.fallbacks = clamp_u8(answers.fallbacks);
  service.answered = clamp_u8(answers.primaries + answers.fallbacks);
  completion.acknowledged = service.answered;
  completion.needed = writes ? write.needed : read.needed;
  if (!put) return;
  const int wanted = write.needed + write.short_of_w;
  if (completion.outcome == Outcome::kOk && completion.stored && service.answered < wanted) {
    service.short_of_w = static_cast<uint8_t>(wanted - service.answered);
    ++counters.writes_softened;
  }
}

void Core::complete(Operation& operation, Completion& completion, Now now) {
  if (operation.answered_client) return;
  operation.answered_client = true;
  if (is_refusal(completion.outcome) && may_be_stored(operation)) {
    completion.outcome = Outcome::kUncertain;
  }
  ServiceRecord& service = completion.service;
  if (operation.kind != Operation::Kind::kForward) count_votes(operation, completion);
  if (completion.outcome == Outcome::kNoQuorum) ++counters.no_quorum;
  if (completion.outcome == Outcome::kUncertain) ++counters.uncertain;
  completion.now_ms = clock_ms(now);
  service.micros = static_cast<uint32_t>(now.steady_us - operation.started_us);
  if (operation.remote) {
    send_forward_reply(*this, operation.reply_to, operation.reply_operation, completion);
  } else if (completions) {
    service.hops = clamp_u8(operation.route.tried.size());
    latency.of(operation.request().kind).record(service.micros, now.steady_us);
    completions->on_complete(operation.tag, completion);
  }
}

void Core::complete_failed(Operation& operation, Outcome outcome, std::string_view text, Now now) {
  Completion completion;
  completion.outcome = outcome;
  completion.text = text;
  Object nothing;
  const bool read = operation.kind == Operation::Kind::kGet;
  if (read) completion.object = &nothing;
  complete(operation, completion, now);
}

void Core::give_back_scratch() {
  own.give_back_scratch();
  for (std::string* const scratch : {&edit_scratch, &outgoing.head}) {
    if (scratch->capacity() > kScratchKept) release_memory(*scratch);
  }
  if (!outgoing.body.empty()) outgoing.body = {};
}

}  // namespace kvorum::cluster
