// SPDX-License-Identifier: Apache-2.0
// How a process stops and returns, as server/node/node.cc and server/node/reactor.cc do it: edits
// are held until those that were begun are done, then handed back; the peers are told, and answer
// behind everything that they asked; clients are let in once the links are up in both directions.
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_node_parts.h"

namespace kvorum::sim {

using cluster::Coordination;

namespace {

constexpr uint64_t kLookUs = 500;
constexpr uint64_t kJoinUs = 1'000'000;
constexpr uint64_t kStepUs = 2'000'000;  // of a stop, at most

}  // namespace

void SimNode::set_coordination(Coordination coordination) {
  for (size_t reactor = 0; reactor < reactors_.size(); ++reactor) {
    reactors_[reactor]->coordinator.set_coordination(coordination, now());
    after_input(reactor);
  }
}

void SimNode::begin_joining() {
  course_ = Course::kJoins;
  course_until_us_ = world_.queue.now_us() + kJoinUs;
  set_coordination(Coordination::kHandsBack);
  look_at_joining();
}

void SimNode::look_at_joining() {
  if (course_ != Course::kJoins) return;
  if (world_.network.linked_both_ways(index_) || world_.queue.now_us() >= course_until_us_) {
    course_ = Course::kRuns;
    return set_coordination(Coordination::kRuns);
  }
  later(kLookUs, [this] { look_at_joining(); });
}

void SimNode::terminate(std::function<void()> ended) {
  world_.trace.note(world_.queue.now_us(), {"term", index_});
  course_ = Course::kQuiesces;
  course_until_us_ = world_.queue.now_us() + kStepUs;
  set_coordination(Coordination::kHolds);
  look_at_stopping(std::move(ended));
}

void SimNode::leave_peers() {
  course_ = Course::kLeaves;
  course_until_us_ = world_.queue.now_us() + kStepUs;
  set_coordination(Coordination::kHandsBack);
  std::string batch;
  cluster::FrameWriter(batch, {cluster::MessageType::kStopping}).finish();
  peers_that_do_not_know_ = world_.network.tell_dialers(index_, batch);
}

void SimNode::look_at_stopping(std::function<void()> ended) {
  const bool over = world_.queue.now_us() >= course_until_us_;
  size_t edits = 0;
  size_t all = peers_that_do_not_know_;
  for (const auto& reactor : reactors_) {
    edits += reactor->coordinator.unfinished_edits();
    all += reactor->coordinator.unfinished() + reactor->dispatcher->open_calls();
  }
  if (course_ == Course::kQuiesces && (edits == 0 || over)) {
    leave_peers();
  } else if (course_ == Course::kLeaves &&
             ((all == 0 && world_.network.delivered_all_of(index_)) || over)) {
    return ended();  // what the kernel has of a process that ended is delivered still
  }
  later(kLookUs,
        [this, moved = std::move(ended)]() mutable { look_at_stopping(std::move(moved)); });
}

// False: the frame is for a coordinator.
bool SimNode::hear_of_stop(size_t reactor, cluster::LinkIndex from, const cluster::Frame& frame) {
  if (frame.head.type == cluster::MessageType::kStoppingSeen) {
    if (peers_that_do_not_know_ > 0) --peers_that_do_not_know_;
    return true;
  }
  if (frame.head.type != cluster::MessageType::kStopping) return false;
  cluster::Coordinator& coordinator = reactors_[reactor]->coordinator;
  coordinator.on_stopping(from.member(), now());
  cluster::FrameWriter(coordinator.outbox().frames(from), {cluster::MessageType::kStoppingSeen})
      .finish();
  return true;
}

}  // namespace kvorum::sim
