// SPDX-License-Identifier: Apache-2.0
#include "cluster/keyspace/keyspace_machine.h"

#include <bit>

#include "base/check.h"
#include "cluster/wire/keyspace_messages.h"

namespace kvorum::cluster {
namespace {

bool is_about_texts(const KeyspaceRequest& request) {
  return request.kind == KeyspaceRequest::Kind::kFindText ||
         request.kind == KeyspaceRequest::Kind::kDropTexts ||
         request.kind == KeyspaceRequest::Kind::kShareLibraries;
}

}  // namespace

KeyspaceMachine::KeyspaceMachine(const NodeParts& parts, Outbox& outbox,
                                 const KeyspaceOptions& options)
    : core_(parts, outbox, options),
      scan_server_(core_),
      scans_(core_, scan_server_),
      counts_(core_),
      flushes_(core_),
      texts_(core_),
      sweeper_(core_) {
  look({});  // marks that were read at start
}

size_t KeyspaceMachine::open_operations() const {
  return scans_.open() + scan_server_.open() + counts_.open() + flushes_.open() + texts_.open();
}

void KeyspaceMachine::publish(std::shared_ptr<const ClusterView> view) {
  KVORUM_CHECK(view->members.size() >= core_.linked.size());  // members keep their index
  core_.linked.resize(view->members.size());
  core_.versions.resize(view->members.size());
  core_.view = std::move(view);
}

// A keyspace whose configurations differ. True with the request completed.
bool KeyspaceMachine::refuses(const KeyspaceRequest& request, uint64_t tag) const {
  const Agreement* const agreement = core_.parts.agreement;
  if (agreement == nullptr || agreement->refused() == 0) return false;
  const bool all = request.kind == KeyspaceRequest::Kind::kFlush && request.all_keyspaces;
  const auto keyspace =
      all ? static_cast<uint8_t>(std::countr_zero(agreement->refused())) : request.keyspace;
  if (!agreement->refuses(keyspace)) return false;
  core_.fail(tag, Outcome::kClusterDown, agreement->reason(keyspace));
  return true;
}

void KeyspaceMachine::submit(const KeyspaceRequest& request, uint64_t tag, Now now) {
  if (!core_.view->takes_part()) {
    return core_.fail(tag, Outcome::kClusterDown, core_.view->why_no_part());
  }
  if (!is_about_texts(request) && refuses(request, tag)) return;
  switch (request.kind) {
    case KeyspaceRequest::Kind::kScan:
      scans_.submit(request, tag, now);
      break;
    case KeyspaceRequest::Kind::kCount:
      counts_.submit(request, tag, now);
      break;
    case KeyspaceRequest::Kind::kFlush:
      flushes_.submit(request, tag, now);
      look(now);
      break;
    case KeyspaceRequest::Kind::kFindText:
    case KeyspaceRequest::Kind::kDropTexts:
    case KeyspaceRequest::Kind::kShareLibraries:
      texts_.submit(request, tag, now);
      break;
  }
}

void KeyspaceMachine::on_peer(MemberIndex peer, bool up, Now now, uint16_t version) {
  if (peer >= core_.linked.size() || core_.linked[peer] == up) return;
  core_.linked[peer] = up;
  core_.versions[peer] = version;
  if (up) {
    flushes_.on_peer_up(peer);
    texts_.on_peer_up(peer);
    return;
  }
  scans_.on_peer_down(peer, now);
  counts_.on_peer_down(peer, now);
  flushes_.on_peer_down(peer, now);
  texts_.on_peer_down(peer);
  look(now);
}

bool KeyspaceMachine::on_scan(LinkIndex from, const Frame& frame) {
  ScanQuestion question;
  if (!parse_scan(frame, &question)) return false;
  const auto ready = scan_server_.serve(question, from, frame.head.operation);
  if (ready) put_scan_reply(core_.outbox.frames(from), frame.head.operation, ready->answer());
  return true;
}

bool KeyspaceMachine::on_scan_reply(MemberIndex from, const Frame& frame, Now now) {
  ScanAnswer answer;
  if (!parse_scan_reply(frame, &answer)) return false;
  return scans_.on_answer(from, frame.head.operation, answer, now);
}

bool KeyspaceMachine::on_flush_clocks_reply(MemberIndex from, const Frame& frame, Now now) {
  FlushMark clocks;
  if (!parse_flush_clocks_reply(frame, &clocks)) return false;
  flushes_.on_clocks(from, frame.head.operation, clocks, now);
  look(now);
  return true;
}

bool KeyspaceMachine::on_message(LinkIndex from, const Frame& frame, Now now) {
  const MemberIndex peer = from.member();  // of an answer
  if (!core_.view->is_member()) return true;
  const SlotId operation = frame.head.operation;
  switch (frame.head.type) {
    case MessageType::kScan:
      return on_scan(from, frame);
    case MessageType::kScanReply:
      return on_scan_reply(peer, frame, now);
    case MessageType::kCount:
      if (!parse_count(frame)) return false;
      counts_.on_question(from, operation, frame.head.keyspace, now);
      return true;
    case MessageType::kCountReply: {
      PartitionCounts counts;
      return parse_count_reply(frame, &counts) && counts_.on_answer(peer, operation, counts, now);
    }
    case MessageType::kFlushClocks:
      if (!parse_flush_clocks(frame)) return false;
      flushes_.on_clocks_question(from, operation, now);
      return true;
    case MessageType::kFlushClocksReply:
      return on_flush_clocks_reply(peer, frame, now);
    case MessageType::kFlushMark: {
      const bool merged = flushes_.on_mark(from, operation, frame.payload, now);
      look(now);
      return merged;
    }
    case MessageType::kFlushMarkReply:
      if (!parse_flush_mark_reply(frame)) return false;
      flushes_.on_marked(peer, operation, now);
      return true;
    case MessageType::kFindText:
    case MessageType::kDropTexts:
    case MessageType::kLibraries:
    case MessageType::kLibrariesDigest:
      return texts_.on_question(from, frame);
    case MessageType::kFindTextReply:
    case MessageType::kDropTextsReply:
    case MessageType::kLibrariesReply:
    case MessageType::kLibrariesDigestReply:
      return texts_.on_answer(peer, frame);
    default:
      return false;
  }
}

void KeyspaceMachine::on_scanned(SlotId operation, const ScanPage& page, Now now) {
  if (page.reader == RangeLoad::Reader::kMarkSweeper) return sweeper_.on_scanned(page, now);
  const auto ready = scan_server_.on_scanned(operation, page);
  if (!ready) return;
  if (ready->asker == core_.self()) {
    scans_.on_answer(ready->asker.member(), ready->operation, ready->answer(), now);
  } else {
    put_scan_reply(core_.outbox.frames(ready->asker), ready->operation, ready->answer());
  }
}

void KeyspaceMachine::on_time(Now now) {
  look(now);
  sweeper_.on_time(now);
  scans_.on_time(now);
  counts_.on_time(now);
  flushes_.on_time(now);
  texts_.on_time(now);
  look(now);
}

uint64_t KeyspaceMachine::next_deadline_us() {
  uint64_t next = sweeper_.next_deadline_us();
  next = sooner_of(next, scans_.next_deadline_us());
  next = sooner_of(next, counts_.next_deadline_us());
  next = sooner_of(next, texts_.next_deadline_us());
  return sooner_of(next, flushes_.next_deadline_us());
}

}  // namespace kvorum::cluster
