// SPDX-License-Identifier: Apache-2.0
// Inputs of a node and what follows from them.
#include "tests/sim/sim_node.h"

#include <fmt/format.h>

#include "cluster/own/scan_page.h"
#include "tests/sim/sim_node_parts.h"

namespace kvorum::sim {

using cluster::MemberIndex;

namespace {

constexpr uint64_t kClientDelayUs = 200;
constexpr size_t kTurnsPerInputMax = 1000;
constexpr uint64_t kTimerLeastUs = 10;

}  // namespace

void SimNode::when_awake(std::function<void()> input) {
  const uint64_t session = session_;
  if (world_.queue.now_us() >= paused_until_us_) {
    input();
    return;
  }
  world_.queue.at(paused_until_us_, [this, session, moved = std::move(input)]() mutable {
    if (session == session_) when_awake(std::move(moved));
  });
}

void SimNode::later(uint64_t delay_us, std::function<void()> input) {
  const uint64_t session = session_;
  world_.queue.after(delay_us, [this, session, moved = std::move(input)]() mutable {
    if (session == session_) when_awake(std::move(moved));
  });
}

void SimNode::on_frame(size_t reactor, cluster::LinkIndex from, std::string_view bytes) {
  if (world_.queue.now_us() < paused_until_us_) {
    when_awake([this, reactor, from, copy = std::string(bytes)] { on_frame(reactor, from, copy); });
    return;
  }
  cluster::Frame frame;
  size_t size = 0;
  KVORUM_CHECK(cluster::parse_frame(bytes, &frame, &size) == cluster::FrameStatus::kFrame);
  const cluster::MessageType type = frame.head.type;  // as server/peers/ lets it pass
  KVORUM_CHECK(type == cluster::MessageType::kStopping ||
               (from.is_accepted() ? may_come_from_dialer(type) : may_come_from_dialed(type)));
  if (!from.is_accepted()) {
    const MemberIndex member = member_of(from.member());
    if (member == cluster::kNoMember) return;
    from = member;
  }
  if (!hear_of_stop(reactor, from, frame)) {
    KVORUM_CHECK(reactors_[reactor]->coordinator.on_message(from, frame, now()));
  }
  after_input(reactor);
}

void SimNode::on_link(size_t reactor, MemberIndex node, bool up) {
  when_awake([this, reactor, node, up] {
    ReactorState& state = *reactors_[reactor];
    state.linked[node] = up;
    // By the reactor's own view, which may be later than view_: it was met, and not linked yet.
    const auto& members = state.coordinator.view().members;
    for (size_t peer = 0; peer < state.members_met; ++peer) {
      if (node_named(members[peer].name) != node) continue;
      state.coordinator.on_link(static_cast<MemberIndex>(peer), up, now());
    }
    after_input(reactor);
  });
}

uint64_t SimNode::connect(size_t reactor, std::weak_ptr<ClientEnd> end, server::Dialect dialect) {
  const uint64_t id = next_connection_++;
  auto connection = std::make_unique<Connection>();
  connection->reactor = reactor;
  connection->end = std::move(end);
  server::ConversationOptions options;
  options.authenticated = true;
  options.dialect = dialect;
  connection->conversation =
      std::make_unique<server::Conversation>(*reactors_[reactor]->dispatcher, options);
  connections_[id] = std::move(connection);
  return id;
}

void SimNode::disconnect(uint64_t connection) { connections_.erase(connection); }

void SimNode::receive(uint64_t id, std::string_view bytes) {
  const auto open = connections_.find(id);
  if (open == connections_.end()) return;  // the reset is on its way to the client
  Connection& connection = *open->second;
  const uint64_t now_us = world_.queue.now_us();
  connection.last_in_us =
      std::max(connection.last_in_us, now_us + kClientDelayUs + rng_.below(kClientDelayUs));
  later(connection.last_in_us - now_us, [this, id, copy = std::string(bytes)] {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    if (!takes_clients()) return;  // it is not read any more
    found->second->input += copy;
    after_input(found->second->reactor);
  });
}

// A turn of a reactor: as in server/node/reactor.cc, until nothing more follows from the input.
void SimNode::after_input(size_t reactor) {
  ReactorState& state = *reactors_[reactor];
  for (size_t turn = 0;; ++turn) {
    KVORUM_CHECK(turn < kTurnsPerInputMax);
    meet_new_members(reactor);
    flush_clients(reactor);
    if (state.dispatcher->has_work()) state.dispatcher->run_due(now());
    if (state.coordinator.outbox().empty() && !state.dispatcher->has_work()) break;
    flush_effects(reactor);
  }
  store_marks();
  check_clock();
  arm_timer(reactor);
}

// Within a session the hybrid clock never goes back.
void SimNode::check_clock() {
  const Hlc reading = clock_->reading(0);
  if (reading < highest_reading_) {
    world_.violations.push_back(fmt::format("the clock of {} went back from {:x} to {:x}",
                                            view_->members[view_->self].name,
                                            highest_reading_.value, reading.value));
  }
  highest_reading_ = reading;
}

void SimNode::flush_clients(size_t reactor) {
  for (auto& [id, connection] : connections_) {
    if (connection->reactor != reactor) continue;
    server::Conversation& conversation = *connection->conversation;
    if (!connection->input.empty() && !conversation.blocked()) {
      connection->input.erase(0, conversation.consume(connection->input, now()));
    }
    std::string bytes;
    bytes.swap(conversation.output());
    if (bytes.empty()) continue;
    const uint64_t arrival_us =
        std::max(connection->last_out_us,
                 world_.queue.now_us() + kClientDelayUs + rng_.below(kClientDelayUs));
    connection->last_out_us = arrival_us;
    world_.queue.at(arrival_us, [end = connection->end, moved = std::move(bytes)] {
      if (const std::shared_ptr<ClientEnd> there = end.lock()) there->on_bytes(moved);
    });
  }
}

void SimNode::flush_effects(size_t reactor) {
  view_ = history_->view();  // frames may have brought a later one
  cluster::Outbox& outbox = reactors_[reactor]->coordinator.outbox();
  start_loads(reactor);
  const std::vector<cluster::LinkIndex> addressed = outbox.addressed();
  outbox.clear_addressed();
  for (const cluster::LinkIndex link : addressed) {
    std::string batch;
    batch.swap(outbox.batch(link));
    const bool dialed = !link.is_accepted();
    const cluster::LinkIndex to =
        dialed ? cluster::LinkIndex(static_cast<MemberIndex>(node_of(link.member()))) : link;
    world_.network.send({index_, reactor}, to, batch);
  }
}

void SimNode::start_loads(size_t reactor) {
  cluster::Outbox& outbox = reactors_[reactor]->coordinator.outbox();
  loads_open_ += outbox.loads.size() + outbox.range_loads.size();
  for (cluster::Load& wanted : outbox.loads) {
    later(rng_.below(world_.swarm.disk.load_delay_us + 1),
          [this, reactor, load = std::move(wanted)] {
            --loads_open_;
            const bool ok = table_->store_reader().load(load.ref()).ok();
            salvage_if_damaged();
            reactors_[reactor]->coordinator.on_loaded(load.operation, ok, now());
            after_input(reactor);
          });
  }
  outbox.loads.clear();
  for (const cluster::RangeLoad& range : outbox.range_loads) {
    later(rng_.below(world_.swarm.disk.load_delay_us + 1), [this, reactor, range] {
      --loads_open_;
      const cluster::ScanPage page = cluster::read_stored_page(parts_, range);
      salvage_if_damaged();
      reactors_[reactor]->coordinator.on_scanned(range.operation, page, now());
      after_input(reactor);
    });
  }
  outbox.range_loads.clear();
  outbox.quarantined.clear();
}

// A memory node forgets its objects with its marks; a durable one stores them.
void SimNode::store_marks() {
  const uint64_t generation = marks_->generation();
  if (generation == marks_requested_) return;
  marks_requested_ = generation;
  if (!object_line_.store) return marks_->set_stored(generation);
  later(rng_.below(world_.swarm.disk.commit_delay_us + 1), [this] {
    if (!facts_->keep_marks().ok()) marks_requested_ = 0;
    for (size_t reactor = 0; reactor < reactors_.size(); ++reactor) on_timer(reactor);
  });
}

void SimNode::arm_timer(size_t reactor) {
  ReactorState& state = *reactors_[reactor];
  uint64_t wanted = state.coordinator.next_deadline_us();
  const uint64_t scheduled = state.dispatcher->next_deadline_us();
  if (wanted == 0 || (scheduled != 0 && scheduled < wanted)) wanted = scheduled;
  if (wanted == 0 || (state.armed_us != 0 && state.armed_us <= wanted)) return;
  state.armed_us = wanted;
  const uint64_t steady_us = now().steady_us;
  const uint64_t delay_us = wanted > steady_us + kTimerLeastUs ? wanted - steady_us : kTimerLeastUs;
  later(delay_us, [this, reactor, wanted] {
    if (reactors_[reactor]->armed_us == wanted) on_timer(reactor);
  });
}

void SimNode::on_timer(size_t reactor) {
  ReactorState& state = *reactors_[reactor];
  state.armed_us = 0;
  state.coordinator.on_time(now());
  const uint64_t scheduled = state.dispatcher->next_deadline_us();
  if (scheduled != 0 && scheduled <= now().steady_us) state.dispatcher->run_due(now());
  after_input(reactor);
}

}  // namespace kvorum::sim
