// SPDX-License-Identifier: Apache-2.0
#include "cluster/keyspace/text_operations.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"

namespace kvorum::cluster {
namespace {

void put_text_frame(std::string& batch, MessageType type, SlotId operation, std::string_view text) {
  FrameWriter frame(batch, {type, 0, 0, operation});
  frame.out().append(text);
  frame.finish();
}

}  // namespace

void TextOperations::submit(const KeyspaceRequest& request, uint64_t tag, Now now) {
  using Kind = KeyspaceRequest::Kind;
  MessageType type = MessageType::kFindText;
  uint16_t version = kTextsVersion;
  std::string payload = request.name;
  if (request.kind == Kind::kDropTexts) {
    type = MessageType::kDropTexts;
    if (core_.parts.texts != nullptr) core_.parts.texts->drop_all();
  } else if (request.kind == Kind::kShareLibraries) {
    type = MessageType::kLibraries;
    version = kLibrariesVersion;
    if (core_.parts.libraries != nullptr) core_.parts.libraries->put_all(payload);
  }
  SlotId id = 0;
  Operation& operation = operations_.acquire(&id);
  operation.tag = tag;
  operation.deadline_us = now.steady_us + core_.timeout_us(request);
  operation.waits_for.clear();
  for (const MemberIndex member : core_.reachable_others()) {
    if (core_.versions[member] < version) continue;
    operation.waits_for.push_back(member);
    put_text_frame(core_.outbox.frames(member), type, id, payload);
  }
  if (operation.waits_for.empty()) end(id, operation, nullptr);
}

bool TextOperations::on_question(LinkIndex from, const Frame& frame) {
  std::string& batch = core_.outbox.frames(from);
  if (frame.head.type == MessageType::kLibrariesDigest) return on_digest(from, frame);
  if (frame.head.type == MessageType::kLibraries) {
    if (!merge(frame.payload)) return false;
    put_text_frame(batch, MessageType::kLibrariesReply, frame.head.operation, {});
    return true;
  }
  SharedTexts* const texts = core_.parts.texts;
  if (frame.head.type == MessageType::kDropTexts) {
    if (texts != nullptr) texts->drop_all();
    put_text_frame(batch, MessageType::kDropTextsReply, frame.head.operation, {});
    return true;
  }
  std::string text;
  std::string answer(1, '\0');
  if (texts != nullptr && texts->find(frame.payload, &text)) {
    answer[0] = 1;
    answer += text;
  }
  put_text_frame(batch, MessageType::kFindTextReply, frame.head.operation, answer);
  return true;
}

bool TextOperations::merge(std::string_view libraries) {
  return core_.parts.libraries == nullptr || core_.parts.libraries->merge(libraries);
}

// Whoever has something else gets all that this node has; it says the same of itself.
bool TextOperations::on_digest(LinkIndex from, const Frame& frame) {
  ByteReader reader(frame.payload);
  const uint64_t theirs = reader.u64();
  if (!reader.ok() || !reader.done()) return false;
  const SharedLibraries* const libraries = core_.parts.libraries;
  std::string all;
  if (libraries != nullptr && libraries->digest() != theirs) libraries->put_all(all);
  put_text_frame(core_.outbox.frames(from), MessageType::kLibrariesDigestReply,
                 frame.head.operation, all);
  return true;
}

// The machines of a node know the same: one of them is enough.
void TextOperations::on_peer_up(MemberIndex peer) {
  const SharedLibraries* const libraries = core_.parts.libraries;
  if (libraries == nullptr || core_.versions[peer] < kLibrariesVersion) return;
  if (core_.options.reactor.number != 0) return;
  std::string digest;
  put_u64(digest, libraries->digest());
  put_text_frame(core_.outbox.frames(peer), MessageType::kLibrariesDigest, 0, digest);
}

bool TextOperations::on_answer(MemberIndex from, const Frame& frame) {
  if (frame.head.type == MessageType::kLibrariesDigestReply) {
    return frame.payload.empty() || merge(frame.payload);
  }
  const bool finds = frame.head.type == MessageType::kFindTextReply;
  if (frame.payload.empty() == finds) return false;
  Operation* const operation = operations_.find(frame.head.operation);
  if (operation == nullptr) return true;  // answered before
  if (finds && frame.payload[0] != 0) {
    std::string_view text = frame.payload.substr(1);
    end(frame.head.operation, *operation, &text);
  } else {
    settle(frame.head.operation, *operation, from);
  }
  return true;
}

// The member has not what is looked for, or will not answer.
void TextOperations::settle(SlotId id, Operation& operation, MemberIndex member) {
  std::erase(operation.waits_for, member);
  if (operation.waits_for.empty()) end(id, operation, nullptr);
}

void TextOperations::end(SlotId id, Operation& operation, std::string_view* text) {
  KVORUM_CHECK(core_.sink != nullptr);
  KeyspaceCompletion completion;
  if (text != nullptr) completion.keys.emplace_back(*text);
  const uint64_t tag = operation.tag;
  operations_.release(id);
  core_.sink->on_keyspace_complete(tag, completion);
}

void TextOperations::on_peer_down(MemberIndex peer) {
  operations_.for_each([&](SlotId id, Operation& operation) {
    const auto& waits_for = operation.waits_for;
    if (std::find(waits_for.begin(), waits_for.end(), peer) == waits_for.end()) return;
    settle(id, operation, peer);
  });
}

void TextOperations::on_time(Now now) {
  operations_.for_each([&](SlotId id, Operation& operation) {
    if (now.steady_us >= operation.deadline_us) end(id, operation, nullptr);
  });
}

uint64_t TextOperations::next_deadline_us() {
  uint64_t next = 0;
  if (operations_.used() == 0) return next;
  operations_.for_each(
      [&next](SlotId, Operation& operation) { next = sooner_of(next, operation.deadline_us); });
  return next;
}

}  // namespace kvorum::cluster
