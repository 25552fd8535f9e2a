// SPDX-License-Identifier: Apache-2.0
#include "cluster/large_frames.h"

#include <algorithm>
#include <utility>

namespace kvorum::cluster {
namespace {

bool is_large(const Core& core, size_t bytes) {
  return core.outbox.takes_large && bytes > kLargeFrameBytes;
}

void send(Core& core, MemberIndex to, std::string front, SharedBytes body) {
  core.outbox.large.push_back({to, LargeFrame::of(std::move(front), std::move(body))});
}

// What the operation keeps of it stays where it is: views into it hold.
const SharedBytes& shared(std::string& bytes, SharedBytes& shared) {
  if (!bytes.empty()) shared = std::make_shared<const std::string>(std::exchange(bytes, {}));
  return shared;
}

size_t object_bytes_of(const Completion& completion) {
  size_t bytes = 0;
  if (completion.object == nullptr) return 0;
  for (const Version& version : completion.object->versions) bytes += version.bytes.size();
  return bytes;
}

}  // namespace

void send_replica_write(Core& core, MemberIndex to, AnOperation of, ReplicaWrite message) {
  auto& [id, operation] = of;
  message.object = operation.object_bytes();
  if (!is_large(core, message.object.size())) {
    return put_replica_write(core.outbox.frames(to), id, message);
  }
  operation.large_bytes = std::max(operation.large_bytes, message.object.size());
  const SharedBytes& body = shared(operation.object, operation.large_object);
  std::string front;
  message.object = {};
  put_replica_write(front, id, message);
  send(core, to, std::move(front), body);
}

void send_forward(Core& core, MemberIndex to, AnOperation of, const ForwardEnvelope& envelope) {
  const std::string_view payload = of.operation.payload_bytes();
  if (!is_large(core, payload.size())) {
    return put_forward(core.outbox.frames(to), of.id, envelope, payload);
  }
  const SharedBytes& body = shared(of.operation.payload, of.operation.large_payload);
  std::string front;
  put_forward(front, of.id, envelope, {});
  send(core, to, std::move(front), body);
}

void send_replica_read_reply(Core& core, MemberIndex to, SlotId operation,
                             const ReplicaReadReply& message) {
  if (!is_large(core, message.object.size())) {
    return put_replica_read_reply(core.outbox.frames(to), operation, message);
  }
  ReplicaReadReply without = message;
  without.object = {};
  std::string front;
  put_replica_read_reply(front, operation, without);
  KVORUM_CHECK(message.object.data() == core.outgoing.data());
  send(core, to, std::move(front),
       std::make_shared<const std::string>(std::exchange(core.outgoing, {})));
}

void send_forward_reply(Core& core, MemberIndex to, SlotId operation,
                        const Completion& completion) {
  if (!is_large(core, object_bytes_of(completion))) {
    return put_forward_reply(core.outbox.frames(to), operation, completion);
  }
  std::string front, object;
  put_forward_reply(front, operation, completion, true);
  encode_object(*completion.object, object);
  send(core, to, std::move(front), std::make_shared<const std::string>(std::move(object)));
}

}  // namespace kvorum::cluster
