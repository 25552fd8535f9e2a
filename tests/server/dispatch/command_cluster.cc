// SPDX-License-Identifier: Apache-2.0
#include "tests/server/dispatch/command_cluster.h"

#include "server/commands/edits.h"

namespace kvorum::server {
namespace {

constexpr int kPartitionBits = 4;

engine::TableOptions table_options(Partitioner partitioner) {
  engine::TableOptions options;
  options.partitioner = partitioner;
  options.partition_bits = kPartitionBits;
  options.hash_seed = 7;
  return options;
}

DispatcherOptions options_of(DispatcherOptions options, CommandNode& node) {
  options.scripts = &node.scripts;
  options.tracking.hub = &node.tracking;
  return options;
}

}  // namespace

CommandNode::CommandNode(const cluster::Founding& founding, const std::string& name,
                         uint64_t number, DispatcherOptions options)
    : incarnation(100 + number),
      table(table_options(founding.partitioner)),
      hint_table(cluster::Hints::table_options(7)),
      hints(&hint_table, &authors, {}),
      view(std::make_shared<const cluster::ClusterView>(cluster::found_view(founding, name))),
      coordinator(parts(), view, {}, number + 1),
      dispatcher(coordinator, parts(), *this, options_of(std::move(options), *this)) {
  dispatcher.tracking().set_messenger(this);
}

cluster::NodeParts CommandNode::parts() {
  cluster::NodeParts parts;
  parts.table = &table;
  parts.hints = &hints;
  parts.authors = &authors;
  parts.clock = &clock;
  parts.marks = &marks;
  parts.edits = all_edits();
  parts.incarnation = incarnation;
  parts.texts = &scripts;
  tracking.watch(&parts);
  return parts;
}

bool CommandNode::send_changes(cluster::MemberIndex member, std::string_view frames) {
  coordinator.outbox().frames(member).append(frames);
  return true;
}

void CommandNode::change_config(FunctionRef<void(Config&)> edit) {
  edit(configured);
  dispatcher.set_limits({.passwords = configured.passwords});
}

std::vector<CallTimes> CommandNode::call_times() {
  std::vector<CallTimes> times;
  add_times(dispatcher.traffic(), &times);
  return times;
}

NodeStatus CommandNode::status() {
  NodeStatus status;
  status.name = view->is_member() ? view->members[view->self].name : "outsider";
  status.cluster_name = view->cluster_name;
  status.redis = redis;
  status.engine = "memory";
  status.sync = "interval";
  status.partitions = view->ring.partitions();
  status.has_slots = view->partitioner == Partitioner::kSlots;
  status.counters = coordinator.counters();
  auto traffic = std::make_shared<TrafficTotals>();
  traffic->add(dispatcher.traffic());
  status.traffic = std::move(traffic);
  status.at_reset = at_reset;
  status.waiting = !view->is_member();
  for (size_t i = 0; i < view->members.size(); ++i) {
    MemberStatus member;
    member.name = view->members[i].name;
    member.id = view->members[i].id;
    member.peer = view->members[i].peer.to_text();
    member.self = i == view->self;
    member.state = coordinator.peer_state(static_cast<cluster::MemberIndex>(i));
    status.members.push_back(member);
  }
  return status;
}

CommandCluster::CommandCluster(size_t count, std::function<void(cluster::Founding&)> adjust,
                               DispatcherOptions options) {
  cluster::Founding founding;
  founding.cluster_name = "test";
  founding.partitions = 1u << kPartitionBits;
  for (size_t i = 0; i < count; ++i) {
    cluster::Member member;
    member.name = std::string(1, static_cast<char>('a' + i));
    member.peer = cluster::Endpoint{"127.0.0.1", static_cast<uint16_t>(7000 + i)};
    founding.members.push_back(member);
  }
  if (adjust) adjust(founding);
  linked_.assign(count, std::vector<bool>(count, true));
  for (size_t i = 0; i < count; ++i) {
    const std::string name(1, static_cast<char>('a' + i));
    nodes.push_back(std::make_unique<CommandNode>(founding, name, i, options));
  }
  for (size_t a = 0; a < count; ++a) {
    for (size_t b = a + 1; b < count; ++b) link(a, b, true);
  }
}

void CommandCluster::link(size_t a, size_t b, bool up) {
  linked_[a][b] = linked_[b][a] = up;
  nodes[a]->coordinator.on_link(static_cast<cluster::MemberIndex>(b), up, now_);
  nodes[b]->coordinator.on_link(static_cast<cluster::MemberIndex>(a), up, now_);
  for (const auto& [self, other] : {std::pair(a, b), std::pair(b, a)}) {
    const auto member = static_cast<cluster::MemberIndex>(other);
    nodes[self]->dispatcher.tracking().on_link(member, up, cluster::kProtocolVersion);
    if (!up) nodes[self]->dispatcher.tracking().on_link_lost();
  }
  settle();
}

void CommandCluster::cut(size_t a, size_t b) { link(a, b, false); }
void CommandCluster::heal(size_t a, size_t b) { link(a, b, true); }

bool CommandCluster::deliver_once() {
  bool moved = false;
  for (size_t from = 0; from < nodes.size(); ++from) {
    cluster::Outbox& outbox = nodes[from]->coordinator.outbox();
    const std::vector<cluster::LinkIndex> addressed = outbox.addressed();
    outbox.clear_addressed();
    for (const cluster::LinkIndex link : addressed) {
      const cluster::MemberIndex to = link.member();
      std::string bytes;
      bytes.swap(outbox.batch(to));
      moved = true;
      if (!linked_[from][to]) continue;
      std::string_view rest = bytes;
      cluster::Frame frame;
      size_t size = 0;
      while (cluster::parse_frame(rest, &frame, &size) == cluster::FrameStatus::kFrame) {
        const auto member = static_cast<cluster::MemberIndex>(from);
        if (Tracking::takes(frame.head.type)) {
          nodes[to]->dispatcher.tracking().on_frame(member, frame, now_.steady_us);
        } else {
          nodes[to]->coordinator.on_message(member, frame, now_);
        }
        rest.remove_prefix(size);
      }
    }
  }
  return moved;
}

void CommandCluster::settle() {
  bool moved = true;
  while (moved) {
    moved = deliver_once();
    for (const auto& node : nodes) {
      moved |= node->dispatcher.has_work();
      node->dispatcher.run_due(now_);
      node->dispatcher.tracking().on_turn(now_.steady_us);
      node->dispatcher.take_tracking_mail(now_.steady_us);
      node->dispatcher.tracking().tell_all(now_.steady_us);
      moved |= !node->coordinator.outbox().addressed().empty();
      if (node->marks.stored() == node->marks.generation()) continue;
      node->marks.set_stored(node->marks.generation());
      node->coordinator.on_time(now_);
      moved = true;
    }
  }
}

void CommandCluster::pass_ms(uint64_t ms) {
  for (uint64_t passed = 0; passed < ms; passed += 10) {
    now_.steady_us += 10'000;
    now_.wall_ms += 10;
    for (const auto& node : nodes) {
      node->coordinator.on_time(now_);
      node->dispatcher.run_due(now_);
    }
    settle();
  }
}

size_t CommandCluster::primary_of(std::string_view key) const {
  const cluster::ClusterView& view = *nodes[0]->view;
  return view.ring.preference_list(view.ring.partition_of(position_of(key)))[0];
}

TestClient::TestClient(CommandCluster& home, size_t node, ConversationOptions options)
    : home_(home),
      conversation_(
          std::make_unique<Conversation>(home.nodes[node]->dispatcher, std::move(options))) {
  conversation_->set_wake([](void* self) { ++static_cast<TestClient*>(self)->wakes; }, this);
}

// As the session over a socket does it: on, until the input ends or has to wait.
void TestClient::feed() {
  while (!unread_.empty() && !conversation_->blocked() && !conversation_->closing()) {
    const size_t taken = conversation_->consume(unread_, home_.now());
    unread_.erase(0, taken);
    if (taken == 0) break;
  }
}

std::string TestClient::send(std::string_view bytes) {
  unread_.append(bytes);
  feed();
  return take();
}

std::string TestClient::take() {
  std::string out;
  out.swap(conversation_->output());
  return out;
}

std::string TestClient::line(std::string_view bytes) {
  std::string out = send(bytes);
  for (int step = 0; step < 4000; ++step) {
    home_.settle();
    out += take();
    feed();
    out += take();
    if (!conversation_->has_pending() && (unread_.empty() || !conversation_->blocked())) break;
    home_.pass_ms(10);
  }
  return out;
}

}  // namespace kvorum::server
