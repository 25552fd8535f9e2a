// SPDX-License-Identifier: Apache-2.0
// What handlers and replies may ask of the node, as one reactor answers it. Owned by the
// dispatcher; the reactor's thread only.
#pragma once

#include "base/rng.h"
#include "cluster/coordinator/coordinator.h"
#include "server/commands/command.h"
#include "server/connection/client_table.h"
#include "server/dispatch/dispatcher_options.h"
#include "server/logbook/logbook.h"
#include "server/pubsub/pub_sub.h"
#include "server/script/script_library.h"
#include "server/tracking/monitors.h"
#include "server/tracking/tracking.h"

namespace kvorum::server {

class ReactorFacts final : public NodeFacts {
 public:
  // All outlive it.
  struct Sources {
    const cluster::Coordinator& coordinator;
    const cluster::NodeParts& parts;
    NodeServices& services;
    const DispatcherOptions& options;
    ClientTable& clients;
    TrafficCounts& traffic;
    PubSub& pub_sub;
    Tracking& tracking;
    Monitors& monitors;
    WatchDesk& watchers;
  };
  explicit ReactorFacts(const Sources& sources)
      : from_(sources), rng_(sources.parts.incarnation ^ sources.options.first_client_id) {}

  const cluster::ClusterView& view() const override { return from_.coordinator.view(); }
  NodeStatus status() override { return from_.services.status(); }
  uint64_t wall_us() override { return from_.services.wall_us(); }
  uint64_t partition_digest(uint8_t keyspace, uint32_t partition) const override {
    return from_.parts.table->digest(keyspace, partition);
  }
  uint64_t partition_records(uint8_t keyspace, uint32_t partition) const override {
    return from_.parts.table->record_count(keyspace, partition);
  }
  void each_session(FunctionRef<void(const SessionState&)> fn) override {
    from_.clients.each_session(fn);
  }
  void close_session(uint64_t slot) override { from_.clients.close(slot); }
  void pause_clients(const ClientPause& pause) override { from_.clients.pause(pause); }
  std::span<const MacKey> token_keys() const override { return from_.options.token_keys; }
  std::span<const std::string> passwords() const override { return from_.options.passwords; }
  uint64_t login_delay_us(std::string_view peer_address) override {
    return from_.services.login_delay_us(peer_address);
  }
  void login_failed(std::string_view peer_address) override {
    from_.services.login_failed(peer_address);
  }
  std::optional<uint8_t> use_count(uint8_t keyspace, std::string_view key) const override {
    const engine::ObjectTable& table = *from_.parts.table;
    if (engine::order_of(table.eviction()) != engine::EvictionOrder::kLeastFrequent) return {};
    return table.use_count({key, position_of(key, view().partitioner), keyspace}).value_or(0);
  }
  bool is_full() const override { return from_.parts.table->is_full(); }
  bool is_full_for(uint8_t keyspace, std::string_view key) const override;
  void show_own_copy(uint8_t keyspace, std::string_view key,
                     FunctionRef<void(const cluster::Object&)> fn) const override;
  bool can_evict_by(std::string_view policy) const override;
  std::shared_ptr<const Config> config() const override { return from_.services.config(); }
  void change_config(FunctionRef<void(Config&)> edit) override {
    from_.services.change_config(edit);
  }
  uint32_t clients_possible(uint32_t wanted) const override {
    return from_.services.clients_possible(wanted);
  }
  uint64_t value_bytes_max() const override { return from_.options.value_bytes_max; }
  uint64_t item_bytes_max() const override { return from_.options.item_bytes_max; }
  uint64_t random() override { return rng_.next(); }
  TrafficCounts& traffic() override { return from_.traffic; }
  void reset_statistics() override {
    from_.services.reset_statistics();
    logbook().errors.reset();
  }
  std::vector<CallTimes> call_times() override { return from_.services.call_times(); }
  MembershipDesk* membership() override { return from_.services.membership(); }
  ScriptLibrary& scripts() override {
    return from_.options.scripts ? *from_.options.scripts : own_scripts_;
  }
  size_t end_long_scripts() override {
    return from_.options.long_work ? from_.options.long_work->end_all() : 0;
  }
  PubSubDesk& pub_sub() override { return from_.pub_sub; }
  Logbook& logbook() override {
    return from_.options.logbook ? *from_.options.logbook : own_logbook_;
  }
  Tracking* tracking() override { return &from_.tracking; }
  size_t tracked_keys_max() const override { return from_.tracking.hub().keys_max(); }
  void set_tracked_keys_max(size_t keys) override { from_.tracking.hub().set_keys_max(keys); }
  Monitors* monitors() override { return &from_.monitors; }
  WatchDesk* watchers() override { return &from_.watchers; }

 private:
  const Sources from_;
  Rng rng_;
  // For those without a node around them.
  ScriptLibrary own_scripts_;
  Logbook own_logbook_;
};

}  // namespace kvorum::server
