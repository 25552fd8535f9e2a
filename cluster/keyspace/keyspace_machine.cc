// SPDX-License-Identifier: Apache-2.0
#include "cluster/keyspace/keyspace_machine.h"

#include <bit>

#include "cluster/keyspace/count_operation.h"
#include "cluster/keyspace/flush_operation.h"
#include "cluster/keyspace/mark_sweeper.h"
#include "cluster/keyspace/scan_operation.h"
#include "cluster/keyspace/scan_server.h"
#include "cluster/wire/keyspace_messages.h"

namespace kvorum::cluster {

struct KeyspaceMachine::Impl {
  Impl(const NodeParts& parts, Outbox& outbox, const KeyspaceOptions& options)
      : core(parts, outbox, options),
        scan_server(core),
        scans(core, scan_server),
        counts(core),
        flushes(core),
        sweeper(core) {}

  bool on_scan(LinkIndex from, const Frame& frame);
  bool on_scan_reply(MemberIndex from, const Frame& frame, Now now);
  bool on_flush_clocks_reply(MemberIndex from, const Frame& frame, Now now);
  void look(Now now);

  KeyspaceCore core;
  ScanServer scan_server;
  ScanOperations scans;
  CountOperations counts;
  FlushOperations flushes;
  MarkSweeper sweeper;
};

KeyspaceMachine::KeyspaceMachine(const NodeParts& parts, Outbox& outbox,
                                 const KeyspaceOptions& options)
    : impl_(std::make_unique<Impl>(parts, outbox, options)) {
  impl_->look({});  // marks that were read at start
}

KeyspaceMachine::~KeyspaceMachine() = default;

size_t KeyspaceMachine::open_operations() const {
  return impl_->scans.open() + impl_->scan_server.open() + impl_->counts.open() +
         impl_->flushes.open();
}

void KeyspaceMachine::set_options(const KeyspaceOptions& options) { impl_->core.options = options; }

void KeyspaceMachine::set_sink(KeyspaceSink* sink) { impl_->core.sink = sink; }

void KeyspaceMachine::publish(std::shared_ptr<const ClusterView> view) {
  impl_->core.linked.resize(view->members.size());
  impl_->core.view = std::move(view);
}

// A raise is claimed by whichever machine of the node looks first, as a rule the one that made it.
void KeyspaceMachine::Impl::look(Now now) { sweeper.look(now); }

void KeyspaceMachine::submit(const KeyspaceRequest& request, uint64_t tag, Now now) {
  Impl& impl = *impl_;
  if (!impl.core.view->is_member()) return impl.core.fail(tag, Outcome::kClusterDown, {});
  Agreement* const agreement = impl.core.parts.agreement;
  if (agreement && agreement->refused() != 0) {
    const bool all = request.kind == KeyspaceRequest::Kind::kFlush && request.all_keyspaces;
    const auto keyspace =
        all ? static_cast<uint8_t>(std::countr_zero(agreement->refused())) : request.keyspace;
    if (agreement->refuses(keyspace)) {
      return impl.core.fail(tag, Outcome::kClusterDown, agreement->reason(keyspace));
    }
  }
  switch (request.kind) {
    case KeyspaceRequest::Kind::kScan:
      impl.scans.submit(request, tag, now);
      break;
    case KeyspaceRequest::Kind::kCount:
      impl.counts.submit(request, tag, now);
      break;
    case KeyspaceRequest::Kind::kFlush:
      impl.flushes.submit(request, tag, now);
      impl.look(now);
      break;
  }
}

void KeyspaceMachine::on_peer(MemberIndex peer, bool up, Now now) {
  Impl& impl = *impl_;
  if (peer >= impl.core.linked.size() || impl.core.linked[peer] == up) return;
  impl.core.linked[peer] = up;
  if (up) {
    impl.flushes.on_peer_up(peer);
    return;
  }
  impl.scans.on_peer_down(peer, now);
  impl.counts.on_peer_down(peer, now);
  impl.flushes.on_peer_down(peer, now);
  impl.look(now);
}

bool KeyspaceMachine::Impl::on_scan(LinkIndex from, const Frame& frame) {
  ScanQuestion question;
  if (!parse_scan(frame, &question)) return false;
  const auto ready = scan_server.serve(question, from, frame.head.operation);
  if (ready) put_scan_reply(core.outbox.frames(from), frame.head.operation, ready->answer());
  return true;
}

bool KeyspaceMachine::Impl::on_scan_reply(MemberIndex from, const Frame& frame, Now now) {
  ScanAnswer answer;
  if (!parse_scan_reply(frame, &answer)) return false;
  return scans.on_answer(from, frame.head.operation, answer, now);
}

bool KeyspaceMachine::Impl::on_flush_clocks_reply(MemberIndex from, const Frame& frame, Now now) {
  FlushMark clocks;
  if (!parse_flush_clocks_reply(frame, &clocks)) return false;
  flushes.on_clocks(from, frame.head.operation, clocks, now);
  look(now);
  return true;
}

bool KeyspaceMachine::on_message(LinkIndex from, const Frame& frame, Now now) {
  Impl& impl = *impl_;
  const MemberIndex peer = from.member();  // of an answer
  if (!impl.core.view->is_member()) return true;
  const SlotId operation = frame.head.operation;
  switch (frame.head.type) {
    case MessageType::kScan:
      return impl.on_scan(from, frame);
    case MessageType::kScanReply:
      return impl.on_scan_reply(peer, frame, now);
    case MessageType::kCount:
      if (!parse_count(frame)) return false;
      impl.counts.on_question(from, operation, frame.head.keyspace, now);
      return true;
    case MessageType::kCountReply: {
      PartitionCounts counts;
      return parse_count_reply(frame, &counts) &&
             impl.counts.on_answer(peer, operation, counts, now);
    }
    case MessageType::kFlushClocks:
      if (!parse_flush_clocks(frame)) return false;
      impl.flushes.on_clocks_question(from, operation, now);
      return true;
    case MessageType::kFlushClocksReply:
      return impl.on_flush_clocks_reply(peer, frame, now);
    case MessageType::kFlushMark: {
      const bool merged = impl.flushes.on_mark(from, operation, frame.payload, now);
      impl.look(now);
      return merged;
    }
    case MessageType::kFlushMarkReply:
      if (!parse_flush_mark_reply(frame)) return false;
      impl.flushes.on_marked(peer, operation, now);
      return true;
    default:
      return false;
  }
}

void KeyspaceMachine::on_scanned(SlotId operation, const ScanPage& page, Now now) {
  Impl& impl = *impl_;
  if (page.reader == RangeLoad::Reader::kMarkSweeper) return impl.sweeper.on_scanned(page, now);
  const auto ready = impl.scan_server.on_scanned(operation, page);
  if (!ready) return;
  if (ready->asker == impl.core.self()) {
    impl.scans.on_answer(ready->asker.member(), ready->operation, ready->answer(), now);
  } else {
    put_scan_reply(impl.core.outbox.frames(ready->asker), ready->operation, ready->answer());
  }
}

void KeyspaceMachine::on_time(Now now) {
  Impl& impl = *impl_;
  impl.look(now);
  impl.sweeper.on_time(now);
  impl.scans.on_time(now);
  impl.counts.on_time(now);
  impl.flushes.on_time(now);
  impl.look(now);
}

uint64_t KeyspaceMachine::next_deadline_us() const {
  Impl& impl = *impl_;
  uint64_t next = impl.sweeper.next_deadline_us();
  next = sooner_of(next, impl.scans.next_deadline_us());
  next = sooner_of(next, impl.counts.next_deadline_us());
  return sooner_of(next, impl.flushes.next_deadline_us());
}

}  // namespace kvorum::cluster
