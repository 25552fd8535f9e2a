// SPDX-License-Identifier: Apache-2.0
// The connections of one reactor: finds them by their slot, gives them ids, counts what they hold
// and judges who holds more than its part. Owns none of them. The reactor's thread only.
#pragma once

#include "base/function_ref.h"
#include "base/slot_map.h"
#include "cluster/coordinator/coordinator.h"
#include "server/commands/command.h"
#include "server/connection/client_state.h"
#include "server/flow/in_flight.h"

namespace kvorum::server {

struct ClientTableOptions {
  uint64_t first_id = 1;  // ids: first + k * step
  uint64_t id_step = 1;
  uint64_t pipeline_bytes_max = 0;     // the most that one client may hold
  InFlightShare* in_flight = nullptr;  // outlives the table; null: one of its own
};

class ClientTable {
 public:
  // The coordinator, whose operations count as held too, outlives it.
  ClientTable(const cluster::Coordinator& coordinator, const ClientTableOptions& options);
  ClientTable(const ClientTable&) = delete;

  // Gives the session its id. `client` stays where it is until remove().
  void add(ClientState& client);
  void remove(ClientState& client);
  // Null where the client has gone.
  ClientState* find(SlotId slot) {
    ClientState** const found = clients_.find(slot);
    return found ? *found : nullptr;
  }
  // Whose session that is. REQUIRES: it is connected.
  ClientState& of(const SessionState& session);
  void each_session(FunctionRef<void(const SessionState&)> fn);
  // There is no password any more: nobody has to log in.
  void admit_all();
  // Its owner closes it at the end of the turn.
  void close(SlotId slot);

  // CLIENT PAUSE. Those that waited for the one before look again.
  void pause(const ClientPause& pause);
  const ClientPause& pause() const { return pause_; }

  // Counts what it holds, and judges whether it may go on.
  void count(ClientState& client);
  // Counting can wait for the end of its turn.
  bool holds_little(const ClientState& client) const {
    return !client.over && client.held_bytes() + client.gathered_bytes <= little_bytes_;
  }
  // What operations hold is in flight.
  void count_operations() { operations_held_.set(coordinator_.held_bytes()); }
  void set_pipeline_bytes_max(uint64_t bytes);
  InFlightShare& in_flight() { return in_flight_; }

 private:
  const cluster::Coordinator& coordinator_;
  SlotMap<ClientState*> clients_;
  uint64_t next_id_;
  const uint64_t id_step_;

  // For those without a node around them: the simulator, tests.
  InFlight own_in_flight_{InFlight::kLimitUsual};
  InFlightShare own_share_{own_in_flight_};
  InFlightShare& in_flight_;
  HeldBytes operations_held_;
  ClientPause pause_;
  uint64_t pipeline_bytes_max_ = 0;
  size_t little_bytes_ = 0;  // of which no client is over its part
};

}  // namespace kvorum::server
