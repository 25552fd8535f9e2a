// SPDX-License-Identifier: Apache-2.0
// A node: the process's tables, store, clock, reactors and admin server, put together in order and
// taken apart in the reverse one. Made by `kvorum serve`; one per process.
//
//   open(): view -> listeners -> data directory -> tables, read once -> reactors, commit thread
//   stop(): no new clients, no edit begun -> those begun are done -> peers told, the rest handed
//   back -> answers out -> reactors end -> commit, sync -> clean-stop mark
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "server/admin/admin_api.h"
#include "server/config/config.h"
#include "server/status/node_status.h"

namespace kvorum::server {

class Node final : public NodeServices, public AdminServices {
 public:
  // A stop waits so long at most: for edits that are under way; for answers, clients and peers.
  static constexpr uint64_t kQuietMs = 500;
  static constexpr uint64_t kDrainMs = 2000;

  // Everything up to serving clients. The error is one sentence for the person who started it.
  static Result<std::unique_ptr<Node>> open(const Config& config);
  ~Node() override;
  Node(const Node&) = delete;

  // Any thread.
  NodeStatus status() override;
  void large_value(std::string_view key, uint64_t bytes) override;
  uint64_t login_delay_us(std::string_view peer_address) override;
  void login_failed(std::string_view peer_address) override;
  void refused_by_protected_mode(std::string_view peer_address) override;
  std::string stuck_reason() override;
  bool takes_password(std::string_view password) const override;
  void reset_statistics() override;
  void binary_client(std::string_view address) override;
  uint64_t wall_us() override;

  void repair(const cluster::RepairWish& wish) override;
  std::shared_ptr<const Config> config() const override;
  // Puts in force what of a configuration can change while the node runs, and logs it; says what
  // cannot. Any thread.
  void reload(const Config& fresh);
  const cluster::ClusterView& view() const override;

  // Finishes what runs, commits, marks the stop as clean. False where something could not be saved.
  bool stop();

 private:
  struct Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace kvorum::server
