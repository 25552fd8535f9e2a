// SPDX-License-Identifier: Apache-2.0
// A client's request on its way to the node that coordinates it, the answer on its way back, and
// the permit that a retry asks for (retry_permit.h). Borrowed bytes: those of a message that is
// put, during the call; those of a parsed one, in the frame or in the payload that was kept.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/wire/frame.h"
#include "cluster/wire/request.h"

namespace kvorum::cluster {

// A client's request, travelling: Request with what the asking node fixed for all its retries.
struct ForwardedRequest {
  Request request;
  uint64_t origin = 0;
  Context context;  // request.context points here after parsing
};
// The payload alone: kept by the asking node for retries, and by a coordinator while it waits.
void encode_forwarded(const Request& request, uint64_t origin, std::string& payload);
// Views into `payload`.
bool parse_forwarded(uint8_t keyspace, std::string_view payload, ForwardedRequest* message);

struct ForwardEnvelope {
  uint8_t keyspace = 0;
  uint8_t hops = 0;           // nodes that passed it on, the asking one included
  bool retried = false;       // another coordinator may have run it
  uint32_t remaining_ms = 0;  // until the asking node gives up
  uint64_t sent_us = 0;       // by the sender's steady clock (transit_time.h)
};
void put_forward(std::string& batch, SlotId operation, const ForwardEnvelope& envelope,
                 std::string_view payload);
bool parse_forward_envelope(const Frame& frame, ForwardEnvelope* envelope,
                            std::string_view* payload);
// How long it may lie before it is run: what may be run twice is given to another coordinator after
// a quarter of its time.
uint64_t patience_us(const ForwardEnvelope& envelope, const Request& request, EditTable edits);

// A coordinator's question before it runs a retry: `operation` is the forwarding node's, `slot`
// what its answer goes to.
void put_forward_ask(std::string& batch, SlotId operation, SlotId slot);
bool parse_forward_ask(const Frame& frame, SlotId* slot);
// The time that its client still waits; 0: it must not run.
void put_forward_permit(std::string& batch, SlotId slot, uint64_t remaining_us);
bool parse_forward_permit(const Frame& frame, uint64_t* remaining_us);

// A Completion, travelling back. `storage` keeps what the completion's pointers point to.
struct CompletionStorage {
  Object object;
  Context context;
  std::vector<ReplicaFacts> replicas;
};
// `ends_before_object`: the completion's object is left out; it is sent behind the frame's bytes.
void put_forward_reply(std::string& batch, SlotId operation, const Completion& completion,
                       bool ends_before_object = false);
bool parse_forward_reply(const Frame& frame, CompletionStorage* storage, Completion* completion);

}  // namespace kvorum::cluster
