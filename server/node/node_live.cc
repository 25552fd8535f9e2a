// SPDX-License-Identifier: Apache-2.0
// What of a node can change while it runs, and who looks after it meanwhile.
#include <fmt/format.h>
#include <sys/statvfs.h>

#include "server/commands/password.h"
#include "server/node/live_config.h"
#include "server/node/node_impl.h"
#include "server/process/logging.h"

namespace kvorum::server {
namespace {

uint64_t sockets_of(const ReactorSockets& reactors) {
  uint64_t count = 0;
  for (const auto& of_reactor : reactors) count += of_reactor.size();
  return count;
}

}  // namespace

std::shared_ptr<const Config> Node::Impl::live_config() const {
  const std::lock_guard guard(live_lock);
  return now_in_force;
}

std::shared_ptr<const Config> Node::config() const { return impl_->live_config(); }

bool Node::takes_password(std::string_view password) const {
  return is_password(password, impl_->live_config()->passwords);
}

Status Node::Impl::plan_for_descriptors() {
  const auto wanted = live_config();
  DescriptorNeeds needs;
  needs.durable = config.engine.type == EngineType::kLevelDb;
  needs.reactors = reactor_count;
  needs.peers = view->members.size() - (view->is_member() ? 1 : 0);
  needs.listeners = sockets_of(redis) + sockets_of(memcached) + sockets_of(peer) + 1;
  needs.clients = wanted->limits.clients;
  const uint64_t limit = descriptor_limit();
  const auto plan = plan_descriptors(limit, needs);
  if (!plan.ok()) return plan.status();
  descriptors = plan.value();
  if (descriptors.clients < needs.clients) {
    log_warning(
        "limits.clients {} needs {} open files and the limit is {}: maxclients has been reduced to "
        "{} to compensate for low ulimit; raise it (ulimit -n) for more",
        needs.clients, needs.clients + descriptors.reserved, limit, descriptors.clients);
  }
  clients.max = descriptors.clients;
  return {};
}

void Node::Impl::start_watch() {
  NodeWatch::Sources sources;
  sources.status = [this] { return status(); };
  sources.wall_ms = [this] { return wall_ms(); };
  sources.turns = [this] {
    std::vector<uint64_t> turns;
    for (const auto& reactor : reactors) turns.push_back(reactor->snapshot().turns);
    return turns;
  };
  sources.measure_disk = [this] {
    struct statvfs disk {};
    if (!store || statvfs(config.node.data_directory.c_str(), &disk) != 0) return;
    const uint64_t used = disk.f_blocks - disk.f_bfree;  // what root alone may fill counts as full
    disk_bytes = (used + disk.f_bavail) * disk.f_frsize;
    disk_free_bytes = disk.f_bavail * disk.f_frsize;
  };
  watch = std::make_unique<NodeWatch>(std::move(sources));
}

std::string Node::stuck_reason() {
  const int stuck = impl_->ready ? impl_->watch->stuck_reactor() : NodeWatch::kNobody;
  return stuck == NodeWatch::kNobody ? "" : fmt::format("reactor {} does not run", stuck);
}

void Node::reload(const Config& fresh) {
  Impl& impl = *impl_;
  const auto before = impl.live_config();
  const std::vector<ConfigChange> changes = config_changes(*before, fresh);
  for (const ConfigChange& change : changes) {
    if (change.live) {
      log_info("configuration: {} is {} now, it was {}", change.key, change.to, change.from);
    } else {
      log_warning("configuration: {} changed from {} to {}: that needs a restart", change.key,
                  change.from, change.to);
    }
  }
  if (changes.empty()) log_info("configuration: nothing changed");
  const auto joined = std::make_shared<const Config>(with_live_part(*before, fresh));
  {
    const std::lock_guard guard(impl.live_lock);
    impl.now_in_force = joined;
  }
  set_log_level(joined->log.level);
  impl.hints->ledger().set_bytes_max(joined->limits.hints_bytes);
  impl.in_flight.set_limit(joined->limits.in_flight_bytes);
  if (Status status = impl.plan_for_descriptors(); !status.ok()) log_error("{}", status.message());
  for (const auto& reactor : impl.reactors) reactor->apply(joined);
}

}  // namespace kvorum::server
