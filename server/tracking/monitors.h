// SPDX-License-Identifier: Apache-2.0
// MONITOR: clients of one reactor that see the commands of all clients of the node, as lines
// (monitor_line.h). What a reactor runs its own monitors see at once, those of the others by mail
// (tracking_hub.h). One that does not take its lines is closed, as a subscriber is. Owned by the
// dispatcher; the reactor's thread only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/commands/command.h"
#include "server/connection/client_table.h"
#include "server/pubsub/pub_sub.h"
#include "server/tracking/tracking_hub.h"

namespace kvorum::server {

class Monitors {
 public:
  // All outlive it.
  struct Parts {
    ClientTable& clients;
    PubSub& pub_sub;
    TrackingHub& hub;
  };
  Monitors(const Parts& parts, uint32_t reactor) : parts_(parts), reactor_(reactor) {}
  Monitors(const Monitors&) = delete;

  // The session's flag follows. Nothing where it is so already.
  void add(SessionState& session);
  void remove(SessionState& session);

  // Whether somebody at the node sees what is run here.
  bool any() const { return parts_.hub.has_monitors(); }
  // REQUIRES: any().
  struct ShownBy {
    const SessionState& session;
    NodeFacts& facts;
    uint64_t now_us;
  };
  void show(const ShownBy& by, const CommandRow& row, Words words);
  // Of memcached's clients.
  void show(const ShownBy& by, Words words) { show_words(by, nullptr, words); }
  // A line of what a script called: behind that of the script, which is shown in this turn, or was
  // before.
  void show_behind(std::string_view line) { behind_.emplace_back(line); }
  bool has_behind() const { return !behind_.empty(); }
  void show_all_behind(uint64_t now_us);
  // Lines of other reactors.
  void take(const TrackingMail& mail, uint64_t now_us);

 private:
  void show_words(const ShownBy& by, const CommandRow* row, Words words);
  void tell(std::string line, uint64_t now_us);
  void push(const std::string& line, uint64_t now_us);

  const Parts parts_;
  const uint32_t reactor_;
  std::vector<ClientState*> monitors_;
  std::vector<std::string> behind_;
};

}  // namespace kvorum::server
