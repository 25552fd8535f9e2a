// SPDX-License-Identifier: Apache-2.0
// A cluster in one process without sockets, with dispatchers in front: what a client's bytes do,
// down to the tables and back. Frames between nodes move, and time passes, only when a test says
// so.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/coordinator/coordinator.h"
#include "cluster/ring/founding.h"
#include "protocol/resp_reply.h"
#include "server/config/config.h"
#include "server/dispatch/conversation.h"
#include "server/dispatch/dispatcher.h"
#include "server/script/script_library.h"

namespace kvorum::server {

struct CommandNode : NodeServices, ChangeMessenger {
  CommandNode(const cluster::Founding& founding, const std::string& name, uint64_t number,
              DispatcherOptions options);

  NodeStatus status() override;
  void reset_statistics() override { at_reset = std::make_shared<NodeStatus>(status()); }
  uint64_t wall_us() override { return 1'700'000'000'123'456; }
  uint64_t login_delay_us(std::string_view) override { return login_delay; }
  void login_failed(std::string_view) override { ++logins_failed; }
  std::shared_ptr<const Config> config() const override {
    return std::make_shared<const Config>(configured);
  }
  void change_config(FunctionRef<void(Config&)> edit) override;
  uint32_t clients_possible(uint32_t wanted) const override { return std::min(wanted, 5000u); }
  std::vector<CallTimes> call_times() override;
  void refused_by_protected_mode(std::string_view) override { ++protected_refusals; }
  bool send_changes(cluster::MemberIndex member, std::string_view frames) override;
  cluster::NodeParts parts();

  std::string redis = "127.0.0.1:6379";
  std::shared_ptr<const NodeStatus> at_reset;
  Config configured;
  uint64_t login_delay = 0;  // microseconds
  uint64_t logins_failed = 0, protected_refusals = 0;

  ScriptLibrary scripts;
  TrackingHub tracking{1};
  uint64_t incarnation;
  cluster::AuthorTable authors;
  cluster::HybridClock clock;
  cluster::FlushMarks marks;
  engine::ObjectTable table, hint_table;
  cluster::Hints hints;
  std::shared_ptr<const cluster::ClusterView> view;
  cluster::Coordinator coordinator;
  Dispatcher dispatcher;
};

class CommandCluster {
 public:
  explicit CommandCluster(size_t nodes, std::function<void(cluster::Founding&)> adjust = {},
                          DispatcherOptions options = {});

  // Moves frames until all is quiet, carries out what dispatchers have left to do.
  void settle();
  // Moves what stands in the outboxes now, once. False where there was nothing.
  bool deliver_once();
  void pass_ms(uint64_t ms);
  // Frames between the two are lost from now on, and both know that the link is down.
  void cut(size_t a, size_t b);
  void heal(size_t a, size_t b);

  // A node that is a primary of the key, or one that is not (where there are enough nodes).
  size_t primary_of(std::string_view key) const;
  Now now() const { return now_; }

  std::vector<std::unique_ptr<CommandNode>> nodes;

 private:
  void link(size_t a, size_t b, bool up);

  std::vector<std::vector<bool>> linked_;
  Now now_{1'000'000, 1'700'000'000'000};
};

// A client of one node. say() sends words and returns the bytes of the reply.
class TestClient {
 public:
  TestClient(CommandCluster& home, size_t node, ConversationOptions options = plain());

  static ConversationOptions plain() {
    ConversationOptions options;
    options.authenticated = true;
    options.peer_address = "127.0.0.1:5000";
    options.local_address = "127.0.0.1:6379";
    return options;
  }
  static ConversationOptions memcached() {
    ConversationOptions options = plain();
    options.dialect = Dialect::kMemcached;
    return options;
  }

  template <class... W>
  std::string say(const W&... words) {
    return line(resp({std::string(words)...}));
  }
  // Sends bytes, lets everything happen, returns what came back.
  std::string line(std::string_view bytes);
  // Sends bytes without letting frames move; returns what is there at once.
  std::string send(std::string_view bytes);
  // What has come since.
  std::string take();

  static std::string resp(const std::vector<std::string>& words) {
    return protocol::encode_command(words);
  }

  Conversation& conversation() { return *conversation_; }
  void hang_up() { conversation_.reset(); }
  size_t unread_bytes() const { return unread_.size(); }
  int wakes = 0;

 private:
  void feed();

  CommandCluster& home_;
  std::unique_ptr<Conversation> conversation_;
  std::string unread_;
};

}  // namespace kvorum::server
