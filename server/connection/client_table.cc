// SPDX-License-Identifier: Apache-2.0
#include "server/connection/client_table.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::server {

ClientTable::ClientTable(const cluster::Coordinator& coordinator, const ClientTableOptions& options)
    : coordinator_(coordinator),
      next_id_(options.first_id),
      id_step_(options.id_step),
      in_flight_(options.in_flight != nullptr ? *options.in_flight : own_share_),
      operations_held_(in_flight_, HeldFor::kOperations) {
  KVORUM_CHECK(id_step_ != 0);  // no two clients have the same id
  set_pipeline_bytes_max(options.pipeline_bytes_max);
}

void ClientTable::set_pipeline_bytes_max(uint64_t bytes) {
  pipeline_bytes_max_ = bytes;
  little_bytes_ = std::min(InFlightShare::kFloorBytes, bytes) / 2;
}

void ClientTable::add(ClientState& client) {
  KVORUM_CHECK(client.slot == 0);
  ClientState*& entry = clients_.acquire(&client.slot);
  entry = &client;
  client.session.slot = client.slot;
  client.session.id = next_id_;
  next_id_ += id_step_;
}

void ClientTable::remove(ClientState& client) {
  KVORUM_CHECK(find(client.slot) == &client);
  clients_.release(client.slot);
  client.slot = 0;
}

ClientState& ClientTable::of(const SessionState& session) {
  ClientState* const client = find(session.slot);
  KVORUM_CHECK(client != nullptr && &client->session == &session);
  return *client;
}

void ClientTable::each_session(FunctionRef<void(const SessionState&)> fn) {
  clients_.for_each([&](SlotId, ClientState* client) {
    client->update_buffers();
    fn(client->session);
  });
}

void ClientTable::admit_all() {
  clients_.for_each([](SlotId, ClientState* client) { client->session.authenticated = true; });
}

void ClientTable::close(SlotId slot) {
  ClientState* const client = find(slot);
  if (client == nullptr) return;
  client->killed = true;
  client->wake_up();
}

void ClientTable::pause(const ClientPause& pause) {
  const uint64_t waited_until_us = std::exchange(pause_, pause).until_us;
  if (waited_until_us == 0) return;
  clients_.for_each([&](SlotId, ClientState* client) {
    if (client->again_at_us != waited_until_us) return;
    client->again_at_us = 0;
    client->notify();
  });
}

// Who was over its part goes on below half of it: not one request at a time.
void ClientTable::count(ClientState& client) {
  client.operations_held.set(client.reserved_bytes + client.gathered_bytes + client.queued_bytes);
  client.replies_held.set(client.replies.memory_bytes());
  count_operations();
  const size_t held = client.held_bytes();
  if (held <= little_bytes_) {
    client.over = false;
    return;
  }
  const uint64_t part = std::min(in_flight_.part(), pipeline_bytes_max_);
  client.over = held > (client.over ? part / 2 : part);
}

}  // namespace kvorum::server
