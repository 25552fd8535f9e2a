// SPDX-License-Identifier: Apache-2.0
#include "server/node/node.h"

#include <unistd.h>

#include <chrono>
#include <thread>

#include "server/node/node_impl.h"
#include "server/process/logging.h"

namespace kvorum::server {
namespace {

using std::chrono::milliseconds;

std::string self_name(const cluster::ClusterView& view, const Config& config) {
  return view.is_member() ? view.members[view.self].name : config.node.name;
}

void await_all(const std::vector<std::unique_ptr<Reactor>>& reactors,
               bool (Reactor::*ready)() const, uint64_t wait_ms) {
  const auto until = std::chrono::steady_clock::now() + milliseconds(wait_ms);
  for (const auto& reactor : reactors) {
    while (!((*reactor).*ready)() && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(milliseconds(1));
    }
  }
}

}  // namespace

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() { stop(); }

void Node::repair(const cluster::RepairWish& wish) {
  if (!impl_->ready) return;
  log_info("repair begun: {} compared with all other primaries",
           wish.partition < 0 ? std::string("all partitions are")
                              : fmt::format("partition {} is", wish.partition));
  impl_->watch->expect_repair();
  impl_->reactors[0]->repair(wish);
}

const cluster::ClusterView& Node::view() const { return *impl_->view; }

Result<std::unique_ptr<Node>> Node::open(const Config& config) {
  std::unique_ptr<Node> node(new Node(std::make_unique<Impl>(config)));
  Impl& impl = *node->impl_;
  if (Status status = impl.bind_listeners(); !status.ok()) return status;
  if (Status status = impl.plan_for_descriptors(); !status.ok()) return status;
  if (Status status = impl.open_store(); !status.ok()) return status;
  impl.start_admin(*node);
  if (Status status = impl.open_tables(); !status.ok()) return status;
  impl.start_reactors(*node);
  impl.start_watch();
  impl.ready = true;
  log_info("node {} of cluster {} takes clients: redis {}, memcached {}, peers {}, admin {}",
           self_name(*impl.view, config), impl.view->cluster_name, config.listen.redis.to_text(),
           config.listen.memcached.to_text(), config.listen.peer.to_text(),
           config.listen.admin.to_text());
  if (!impl.view->is_member()) {
    std::string names;
    for (const cluster::Member& member : impl.view->members) {
      names.append(names.empty() ? "" : ", ").append(member.name);
    }
    log_warning(
        "node {} is not among the members of cluster {} ({}): it waits to be admitted and takes "
        "no keys; if the name is a mistake, stop it and start it with --name",
        config.node.name, impl.view->cluster_name, names);
  }
  return node;
}

void Node::large_value(std::string_view key, uint64_t bytes) {
  impl_->large_values.tell(key, bytes, TurnClock(0).read().steady_us);
}

void Node::binary_client(std::string_view address) {
  LogGates::Verdict verdict;
  {
    const std::lock_guard lock(impl_->client_trouble_lock);
    verdict = impl_->client_troubles.ask("memcached", "binary", TurnClock(0).read().steady_us);
  }
  if (!verdict.open) return;
  log_warning(
      "a client at {} speaks memcached's binary protocol, which is not supported: it is "
      "told so and closed; the text protocol is spoken here ({} more since the last time)",
      address, verdict.suppressed);
}

uint64_t Node::wall_us() { return TurnClock(impl_->config.clock_offset_ms).read_wall_us(); }

uint64_t Node::login_delay_us(std::string_view peer_address) {
  return impl_->logins.delay_us(peer_address, TurnClock(0).read().steady_us);
}
void Node::login_failed(std::string_view peer_address) {
  impl_->logins.failed(peer_address, TurnClock(0).read().steady_us);
}
void Node::refused_by_protected_mode(std::string_view peer_address) {
  impl_->logins.refused(peer_address, TurnClock(0).read().steady_us);
}

bool Node::stop() {
  Impl& impl = *impl_;
  if (impl.stopping.exchange(true)) return true;
  for (const auto& reactor : impl.reactors) reactor->quiesce();
  await_all(impl.reactors, &Reactor::quiet, kQuietMs);
  for (const auto& reactor : impl.reactors) reactor->leave();
  await_all(impl.reactors, &Reactor::drained, kDrainMs);
  return impl.shut_down();
}

}  // namespace kvorum::server
