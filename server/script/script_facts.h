// SPDX-License-Identifier: Apache-2.0
// What the handler of a command may ask inside a script: the time of the call, and what needs no
// node. A script runs where its key is coordinated, with a partition locked, or on a thread of its
// own, so that the node and its sessions are out of reach. One thread at a time.
#pragma once

#include "base/rng.h"
#include "server/commands/command.h"
#include "server/logbook/logbook.h"
#include "server/script/script_counts.h"
#include "server/script/script_library.h"

namespace kvorum::server {

class ScriptFacts final : public NodeFacts, private PubSubDesk {
 public:
  ScriptFacts() { logbook_.debug = DebugAccess::kEverybody; }  // where a script may call it at all

  void set_call(uint64_t wall_us, uint64_t value_bytes_max) {
    wall_us_ = wall_us;
    value_bytes_max_ = value_bytes_max;
  }

  ScriptCounts& counts() { return counts_; }

  // Keyspaces that keep siblings: what is seen was reduced to one before where there is but one.
  const cluster::ClusterView& view() const override { return view_; }
  NodeStatus status() override { return {}; }
  uint64_t partition_digest(uint8_t, uint32_t) const override { return 0; }
  uint64_t partition_records(uint8_t, uint32_t) const override { return 0; }
  uint64_t wall_us() override { return wall_us_; }
  void each_session(FunctionRef<void(const SessionState&)>) override {}
  void close_session(uint64_t) override {}
  void pause_clients(const ClientPause&) override {}
  std::span<const MacKey> token_keys() const override { return {}; }
  std::span<const std::string> passwords() const override { return {}; }
  uint64_t login_delay_us(std::string_view) override { return 0; }
  void login_failed(std::string_view) override {}
  bool can_evict_by(std::string_view) const override { return false; }
  std::shared_ptr<const Config> config() const override { return nullptr; }
  void change_config(FunctionRef<void(Config&)>) override {}
  uint32_t clients_possible(uint32_t wanted) const override { return wanted; }
  uint64_t value_bytes_max() const override { return value_bytes_max_; }
  uint64_t item_bytes_max() const override { return 0; }
  std::optional<uint8_t> use_count(uint8_t, std::string_view) const override { return {}; }
  uint64_t random() override { return rng_.next(); }
  TrafficCounts& traffic() override { return counts_.counts(); }
  void reset_statistics() override {}
  std::vector<CallTimes> call_times() override { return {}; }
  MembershipDesk* membership() override { return nullptr; }
  ScriptLibrary& scripts() override { return library_; }
  size_t end_long_scripts() override { return 0; }
  PubSubDesk& pub_sub() override { return *this; }
  Logbook& logbook() override { return logbook_; }

 private:
  // PubSubDesk: nobody subscribes in a script, and nothing is heard.
  void subscribe(SessionState&, SubscriptionKind, std::string_view) override {}
  void unsubscribe(SessionState&, SubscriptionKind, std::string_view) override {}
  void unsubscribe_all(SessionState&) override {}
  std::vector<std::string> subscribed(const SessionState&, SubscriptionKind) const override {
    return {};
  }
  uint64_t publish(const SessionState*, const Message&, uint64_t) override { return 0; }
  void publish_soon(const Message&) override {}
  bool set_key_events(std::string_view) override { return false; }
  std::string key_events() const override { return {}; }
  std::vector<std::string> names(SubscriptionKind) const override { return {}; }
  uint64_t subscribers(SubscriptionKind, std::string_view) const override { return 0; }
  uint64_t name_count(SubscriptionKind) const override { return 0; }

  cluster::ClusterView view_;
  ScriptCounts counts_;
  ScriptLibrary library_;  // scripts call no scripts
  Logbook logbook_;        // nor commands about the node
  Rng rng_{0};
  uint64_t wall_us_ = 0, value_bytes_max_ = 0;
};

}  // namespace kvorum::server
