// SPDX-License-Identifier: Apache-2.0
#include "cluster/keyspace/scan_operation.h"

#include <algorithm>
#include <tuple>

#include "base/check.h"
#include "base/contains.h"
#include "cluster/version/object_codec.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kPatiencePart = 4;  // of the request's timeout

}  // namespace

void ScanOperations::submit(const KeyspaceRequest& request, uint64_t tag, Now now) {
  SlotId id;
  Scan& scan = scans_.acquire(&id);
  scan.tag = tag;
  scan.keyspace = request.keyspace;
  scan.count = std::max<uint32_t>(request.count, 1);
  scan.rounds = 0;
  const int bits = core_.options.scan_cursor_bits;
  const bool is_cursor = request.cursor >> bits == 0;  // nodes used to give whole positions
  scan.from = is_cursor ? request.cursor << (64 - bits) : boundary_of(request.cursor);
  scan.boundary = scan.from;
  scan.moved = false;
  scan.deadline_us = now.steady_us + core_.timeout_us(request);
  scan.patience_us = core_.timeout_us(request) / kPatiencePart;
  scan.silent.clear();
  scan.keys.clear();
  if (begin_round(id, scan, now)) run(id, now);
}

uint64_t ScanOperations::boundary_of(uint64_t position) const {
  const int below = 64 - core_.options.scan_cursor_bits;
  return position >> below << below;
}

// Rounds, as long as answers are there: a lone member needs no message and no recursion.
void ScanOperations::run(SlotId id, Now now) {
  for (;;) {
    Scan* const found = scans_.find(id);
    KVORUM_CHECK(found != nullptr);  // it ends with the round that says so
    Scan& scan = *found;
    if (end_round(id, scan, now) != Next::kRound) return;
    if (!begin_round(id, scan, now)) return;
  }
}

bool ScanOperations::usable(const Scan& scan, MemberIndex member) const {
  return core_.reachable(member) && !contains(scan.silent, member);
}

// As many partitions as few members can answer for, one round trip for all of them.
std::vector<MemberIndex> ScanOperations::choose_window(Scan& scan) const {
  const Ring& ring = core_.view->ring;
  std::vector<MemberIndex> window;
  const uint32_t first = ring.partition_of(Position{scan.from, 0});
  for (uint32_t partition = first; partition < ring.partitions(); ++partition) {
    std::vector<MemberIndex> wider = window;
    for (const MemberIndex member : core_.holders(scan.keyspace, partition)) {
      if (usable(scan, member) && !contains(wider, member)) wider.push_back(member);
    }
    const auto is_usable = [&](MemberIndex member) { return usable(scan, member); };
    if (!core_.know_all(scan.keyspace, partition, is_usable)) break;
    if (partition > first && wider.size() > kMembersAskedMax) break;
    window = std::move(wider);
    scan.last_partition = partition;
  }
  return window;
}

// False where the call ended instead.
bool ScanOperations::begin_round(SlotId id, Scan& scan, Now now) {
  const std::vector<MemberIndex> window = choose_window(scan);
  if (window.empty()) {
    fail(id, scan);
    return false;
  }
  ++scan.rounds;
  scan.patient_until_us = now.steady_us + scan.patience_us;
  scan.impatient = false;
  const auto missing =
      static_cast<uint32_t>(scan.count - std::min<size_t>(scan.keys.size(), scan.count));
  // Keys of one cursor have to be shown together, however many there are.
  const uint32_t wanted = scan.from == scan.boundary ? missing : kCountMax;
  const ScanQuestion question{scan.keyspace, scan.from, scan.last_partition,
                              std::clamp(wanted, kCountMin, kCountMax)};
  scan.answers.clear();
  for (const MemberIndex member : window) {
    scan.answers.emplace_back().member = member;
    if (member != core_.self()) put_scan(core_.outbox.frames(member), id, question);
  }
  if (!contains(window, core_.self())) return true;
  const auto ready = server_.serve(question, core_.self(), id);
  if (!ready) return true;
  for (Answer& own : scan.answers) {
    if (own.member != core_.self()) continue;
    own.state = ready->refused ? Asked::kFailed : Asked::kAnswered;
    own.next = ready->next;
    own.items = ready->items;
  }
  return true;
}

bool ScanOperations::on_answer(MemberIndex from, SlotId id, const ScanAnswer& answer, Now now) {
  items_.clear();
  if (!parse_page_items(answer.items, &items_)) return false;
  Scan* scan = scans_.find(id);
  if (!scan) return true;  // too late
  for (Answer& asked : scan->answers) {
    if (asked.member != from || asked.state != Asked::kWaiting) continue;
    // An answer that went nowhere would be asked for again and again.
    const bool useful = !answer.refused && (answer.next == 0 || answer.next > scan->from);
    asked.state = useful ? Asked::kAnswered : Asked::kFailed;
    asked.next = answer.next;
    asked.items.assign(answer.items);
    if (!useful) scan->silent.push_back(from);
  }
  run(id, now);
  return true;
}

bool ScanOperations::enough(const Scan& scan, uint32_t partition) const {
  return core_.know_all(scan.keyspace, partition, [&](MemberIndex member) {
    return std::any_of(scan.answers.begin(), scan.answers.end(), [&](const Answer& answer) {
      return answer.member == member && answer.state == Asked::kAnswered;
    });
  });
}

void ScanOperations::give_up_silent(Scan& scan) {
  const uint32_t first = core_.view->ring.partition_of(Position{scan.from, 0});
  if (!enough(scan, first)) return;
  for (Answer& answer : scan.answers) {
    if (answer.state != Asked::kWaiting) continue;
    answer.state = Asked::kFailed;
    scan.silent.push_back(answer.member);
  }
}

ScanOperations::Next ScanOperations::end_round(SlotId id, Scan& scan, Now now) {
  if (scan.impatient) give_up_silent(scan);
  for (const Answer& answer : scan.answers) {
    if (answer.state == Asked::kWaiting) return Next::kWait;
  }
  const Ring& ring = core_.view->ring;
  const uint32_t first = ring.partition_of(Position{scan.from, 0});
  KVORUM_CHECK(first <= scan.last_partition);
  uint32_t partition = first;
  while (partition <= scan.last_partition && enough(scan, partition)) ++partition;
  if (partition == first) {
    fail(id, scan);
    return Next::kEnded;
  }
  uint64_t end = partition < ring.partitions() ? ring.start_of(partition).high : 0;
  for (const Answer& answer : scan.answers) {
    if (answer.state != Asked::kAnswered || answer.next == 0) continue;
    if (end == 0 || answer.next < end) end = answer.next;
  }
  const uint64_t boundary = boundary_of(end);
  if (end != 0 && boundary > scan.from) end = boundary;
  show_keys(scan, end, now);
  scan.from = end;
  const bool may_end = end == 0 || end == boundary;
  if (may_end) {
    scan.boundary = end;
    scan.moved = true;
  }
  const bool late = now.steady_us >= scan.deadline_us;
  const bool full = late || scan.rounds >= kRoundsMax || scan.keys.size() >= scan.count;
  if (late && !may_end) {
    fail(id, scan);
    return Next::kEnded;
  }
  if (end != 0 && (!full || !may_end)) return Next::kRound;
  complete(id, scan);
  return Next::kEnded;
}

// Exactly what a get of each key would find among these replicas: their versions are merged, so a
// tombstone hides only what it covers, whatever the clocks of its node say.
void ScanOperations::show_keys(Scan& scan, uint64_t end, Now now) {
  items_.clear();
  for (const Answer& answer : scan.answers) {
    if (answer.state == Asked::kAnswered) parse_page_items(answer.items, &items_);
  }
  std::sort(items_.begin(), items_.end(), [](const PageItem& a, const PageItem& b) {
    return std::tie(a.high, a.key, a.object) < std::tie(b.high, b.key, b.object);
  });
  const uint64_t now_ms = core_.parts.clock->reading(now.wall_ms).ms();
  const bool lww = core_.view->keyspaces[scan.keyspace].conflicts == ConflictPolicy::kLww;
  for (size_t at = 0; at < items_.size();) {
    const size_t first = at;
    Object merged;
    for (; at < items_.size() && items_[at].key == items_[first].key; ++at) {
      if (at > first && items_[at].object == items_[at - 1].object) continue;  // as a rule
      Object object;
      if (decode_object(items_[at].object, object)) merged = merge(merged, object);
    }
    if (end != 0 && items_[first].high >= end) continue;
    core_.parts.marks->apply(scan.keyspace, merged);
    if (lww) keep_newest(merged);
    if (!visible_versions(merged, now_ms).empty()) scan.keys.emplace_back(items_[first].key);
  }
}

void ScanOperations::on_peer_down(MemberIndex peer, Now now) {
  scans_.for_each([&](SlotId id, Scan& scan) {
    bool changed = false;
    for (Answer& answer : scan.answers) {
      if (answer.member != peer || answer.state != Asked::kWaiting) continue;
      answer.state = Asked::kFailed;
      changed = true;
    }
    if (changed) run(id, now);
  });
}

void ScanOperations::on_time(Now now) {
  scans_.for_each([&](SlotId id, Scan& scan) {
    if (now.steady_us >= scan.deadline_us) {
      for (Answer& answer : scan.answers) {
        if (answer.state == Asked::kWaiting) answer.state = Asked::kFailed;
      }
      run(id, now);
    } else if (now.steady_us >= scan.patient_until_us && !scan.impatient) {
      scan.impatient = true;
      run(id, now);
    }
  });
}

uint64_t ScanOperations::next_deadline_us() {
  uint64_t next = 0;
  if (scans_.used() == 0) return next;
  scans_.for_each([&next](SlotId, Scan& scan) {
    const uint64_t due_us = scan.impatient ? scan.deadline_us : scan.patient_until_us;
    next = sooner_of(next, std::min(scan.deadline_us, due_us));
  });
  return next;
}

void ScanOperations::complete(SlotId id, Scan& scan) {
  KVORUM_CHECK(scan.boundary == boundary_of(scan.boundary));  // a cursor says all of it
  KeyspaceCompletion completion;
  completion.keys.swap(scan.keys);
  completion.cursor = scan.boundary >> (64 - core_.options.scan_cursor_bits);
  const uint64_t tag = scan.tag;
  scans_.release(id);
  core_.sink->on_keyspace_complete(tag, completion);
}

// What was found before a stretch that nobody can answer for is not lost: the next call fails.
void ScanOperations::fail(SlotId id, Scan& scan) {
  if (scan.moved) return complete(id, scan);
  const uint64_t tag = scan.tag;
  scans_.release(id);
  core_.fail(tag, Outcome::kNoQuorum, "too few replicas of a partition answered");
}

}  // namespace kvorum::cluster
