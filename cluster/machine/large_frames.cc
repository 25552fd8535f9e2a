// SPDX-License-Identifier: Apache-2.0
#include "cluster/machine/large_frames.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kvorum::cluster {
namespace {

bool is_large(const Core& core, size_t bytes) {
  return core.outbox.takes_large && bytes > kLargeFrameBytes;
}

void send(Core& core, LinkIndex to, std::string front, const SharedView& body) {
  KVORUM_CHECK(core.outbox.takes_large && body.owner != nullptr);
  core.outbox.large.push_back({to, {std::move(front), body.owner, body.bytes}});
}

// Views into the bytes hold: these stay where they are.
void share_all(std::string& bytes, SharedView& body) {
  if (!body.empty()) return;
  body.owner = share(std::exchange(bytes, {}));
  body.bytes = *body.owner;
}

// For a batch, in one piece.
std::string_view whole(const EncodedObject& object, std::string& storage) {
  if (object.body.empty()) return object.head;
  storage.assign(object.head).append(object.body.bytes);
  return storage;
}

size_t object_bytes_of(const Completion& completion) {
  size_t bytes = 0;
  if (completion.object == nullptr) return 0;
  for (const Version& version : completion.object->versions) bytes += version.bytes.size();
  return bytes;
}

}  // namespace

void send_replica_write(Core& core, MemberIndex to, SentObject of, ReplicaWrite message) {
  auto& [id, operation] = of;
  std::string storage;
  if (!is_large(core, operation.object.size())) {
    message.object = whole(operation.object, storage);
    return put_replica_write(core.outbox.frames(to), id, message);
  }
  operation.large_bytes = std::max(operation.large_bytes, operation.object.size());
  share_all(operation.object.head, operation.object.body);
  std::string front;
  message.object = operation.object.head;
  put_replica_write(front, id, message);
  send(core, to, std::move(front), operation.object.body);
}

void send_forward(Core& core, MemberIndex to, SentRequest of, const ForwardEnvelope& envelope) {
  Operation& operation = of.operation;
  if (!is_large(core, operation.payload_size())) {
    KVORUM_CHECK(operation.payload_body.empty());
    return put_forward(core.outbox.frames(to), of.id, envelope, operation.payload);
  }
  share_all(operation.payload, operation.payload_body);
  std::string front;
  put_forward(front, of.id, envelope, operation.payload);
  send(core, to, std::move(front), operation.payload_body);
}

void send_replica_read_reply(Core& core, LinkIndex to, SlotId operation,
                             ReplicaReadReply& message) {
  std::string storage;
  EncodedObject& object = core.outgoing;
  if (!is_large(core, object.size())) {
    message.object = whole(object, storage);
    return put_replica_read_reply(core.outbox.frames(to), operation, message);
  }
  share_all(object.head, object.body);
  std::string front;
  message.object = object.head;
  put_replica_read_reply(front, operation, message);
  send(core, to, std::move(front), std::exchange(object.body, {}));
}

void send_forward_reply(Core& core, LinkIndex to, SlotId operation, const Completion& completion) {
  if (!is_large(core, object_bytes_of(completion))) {
    return put_forward_reply(core.outbox.frames(to), operation, completion);
  }
  EncodedObject object;
  encode_object(*completion.object, object);
  share_all(object.head, object.body);
  std::string front;
  put_forward_reply(front, operation, completion, true);
  front.append(object.head);
  send(core, to, std::move(front), object.body);
}

}  // namespace kvorum::cluster
