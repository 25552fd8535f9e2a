// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch/dispatcher.h"

#include <algorithm>

#include "base/give_back.h"
#include "server/commands/edits.h"
#include "server/dispatch/dispatcher_impl.h"

namespace kvorum::server {
namespace {

constexpr size_t kContinuedPerRunMax = 64;
constexpr size_t kCallBytesKept = 1024;

}  // namespace

Dispatcher::Dispatcher(cluster::Coordinator& coordinator, const cluster::NodeParts& parts,
                       NodeServices& services, DispatcherOptions options)
    : impl_(std::make_unique<Impl>(coordinator, parts, services, std::move(options))) {
  coordinator.set_sinks(impl_.get(), impl_.get());
}

Dispatcher::~Dispatcher() = default;

void Dispatcher::set_limits(const DispatcherLimits& limits) {
  impl_->options.passwords = limits.passwords;
  impl_->set_pipeline_bytes_max(limits.pipeline_bytes_max);
  impl_->options.value_warn_bytes = limits.value_warn_bytes;
}

const DispatcherCounters& Dispatcher::counters() const { return impl_->counters; }

const TrafficCounts& Dispatcher::traffic() const { return impl_->traffic_counts; }

NodeFacts& Dispatcher::facts() { return *impl_; }

void Dispatcher::count_held() { impl_->coordinator_held.set(impl_->coordinator.held_bytes()); }

size_t Dispatcher::open_calls() const { return impl_->calls.used() + impl_->gatherings.used(); }

void Dispatcher::run_due(Now now) { impl_->run_due(now); }

bool Dispatcher::has_work() const { return impl_->has_work(); }

uint64_t Dispatcher::next_deadline_us() const {
  uint64_t next = 0;
  for (uint64_t due : impl_->flushes_due_us) next = next == 0 ? due : std::min(next, due);
  for (const Impl::Postponed& one : impl_->postponed) {
    next = next == 0 ? one.due_us : std::min(next, one.due_us);
  }
  return next;
}

Dispatcher::Impl::Impl(cluster::Coordinator& its_coordinator, const cluster::NodeParts& its_parts,
                       NodeServices& its_services, DispatcherOptions its_options)
    : coordinator(its_coordinator),
      parts(its_parts),
      services(its_services),
      options(std::move(its_options)),
      rng(parts.incarnation ^ options.first_client_id),
      next_client_id(options.first_client_id),
      in_flight(options.in_flight != nullptr ? *options.in_flight : own_share),
      coordinator_held(in_flight, HeldFor::kOperations) {
  set_pipeline_bytes_max(options.pipeline_bytes_max);
}

void Dispatcher::Impl::set_pipeline_bytes_max(uint64_t bytes) {
  options.pipeline_bytes_max = bytes;
  little_bytes = std::min(InFlightShare::kFloorBytes, bytes) / 2;
}

void Dispatcher::Impl::add(ClientState& client) {
  ClientState*& entry = clients.acquire(&client.slot);
  entry = &client;
  client.session.id = next_client_id;
  next_client_id += options.client_id_step;
}

void Dispatcher::Impl::remove(ClientState& client) {
  clients.release(client.slot);
  Gathering* const gathering = gatherings.find(client.unsent.gathering);
  if (!gathering) return;
  gathering->remaining -= gathering->size - client.unsent.first;
  if (gathering->remaining == 0) release_gathering(client.unsent.gathering, *gathering);
}

// Who was over its part goes on below half of it: not one request at a time.
void Dispatcher::Impl::count(ClientState& client) {
  client.operations_held.set(client.reserved_bytes + client.gathered_bytes);
  client.replies_held.set(client.replies.memory_bytes());
  coordinator_held.set(coordinator.held_bytes());
  const size_t held = client.held_bytes();
  if (held <= little_bytes) {
    client.over = false;
    return;
  }
  const uint64_t part = std::min(in_flight.part(), options.pipeline_bytes_max);
  client.over = held > (client.over ? part / 2 : part);
}

// Its strings are cleared by who takes the slot.
void Dispatcher::Impl::release_call(SlotId id, Call& call) {
  if (call.strings_capacity() > kCallBytesKept) [[unlikely]] {
    release_memory(call.key);
    release_memory(call.remembered.text);
    release_memory(call.remembered.gathered);
  }
  calls.release(id);
}

uint64_t Dispatcher::Impl::clock_ms(Now now) const {
  return parts.clock->reading(now.wall_ms).ms();
}

uint64_t Dispatcher::Impl::partition_digest(uint8_t keyspace, uint32_t partition) const {
  return parts.table->digest(keyspace, partition);
}

uint64_t Dispatcher::Impl::partition_records(uint8_t keyspace, uint32_t partition) const {
  return parts.table->record_count(keyspace, partition);
}

void Dispatcher::Impl::each_session(FunctionRef<void(const SessionState&)> fn) {
  clients.for_each([&](SlotId, ClientState* client) {
    client->update_buffers();
    fn(client->session);
  });
}

// A scan that goes on may finish another step within submit(), hence the bound.
void Dispatcher::Impl::run_due(Now now) {
  for (size_t steps = 0; !continued.empty() && steps < kContinuedPerRunMax; ++steps) {
    const Continued next = continued.back();
    continued.pop_back();
    Call* const call = calls.find(next.call);
    if (!call) continue;
    if (!client_of(*call)) {
      release_call(next.call, *call);
      continue;
    }
    call->keyspace_request.cursor = next.cursor;
    coordinator.submit(call->keyspace_request, next.call, now);
  }
  for (size_t i = 0; i < flushes_due_us.size();) {
    if (flushes_due_us[i] > now.steady_us) {
      ++i;
      continue;
    }
    flushes_due_us[i] = flushes_due_us.back();
    flushes_due_us.pop_back();
    SlotId id = 0;
    Call& call = calls.acquire(&id);
    call.client = 0;
    call.keyspace_request = {};
    call.keyspace_request.kind = cluster::KeyspaceRequest::Kind::kFlush;
    coordinator.submit(call.keyspace_request, id, now);
  }
  wake_postponed(now);
}

// The connection reads no further meanwhile; others go on.
void Dispatcher::Impl::postpone(ClientState& client) {
  if (client.again_at_us == plan.again_at_us) return;
  client.again_at_us = plan.again_at_us;
  postponed.push_back({plan.again_at_us, client.slot});
}

void Dispatcher::Impl::wake_postponed(Now now) {
  for (size_t i = 0; i < postponed.size();) {
    const Postponed one = postponed[i];
    if (one.due_us > now.steady_us) {
      ++i;
      continue;
    }
    postponed[i] = postponed.back();
    postponed.pop_back();
    if (ClientState** const client = clients.find(one.client)) {
      (*client)->again_at_us = 0;
      (*client)->notify();
    }
  }
}

}  // namespace kvorum::server
