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
  const bool finds = request.kind == KeyspaceRequest::Kind::kFindText;
  if (!finds && core_.parts.texts != nullptr) core_.parts.texts->drop_all();
  SlotId id = 0;
  Operation& operation = operations_.acquire(&id);
  operation.tag = tag;
  operation.deadline_us = now.steady_us + core_.timeout_us(request);
  operation.waits_for.clear();
  for (const MemberIndex member : core_.reachable_others()) {
    if (core_.versions[member] < kTextsVersion) continue;
    operation.waits_for.push_back(member);
    put_text_frame(core_.outbox.frames(member),
                   finds ? MessageType::kFindText : MessageType::kDropTexts, id, request.name);
  }
  if (operation.waits_for.empty()) end(id, operation, nullptr);
}

void TextOperations::on_question(LinkIndex from, const Frame& frame) {
  std::string& batch = core_.outbox.frames(from);
  SharedTexts* const texts = core_.parts.texts;
  if (frame.head.type == MessageType::kDropTexts) {
    if (texts != nullptr) texts->drop_all();
    return put_text_frame(batch, MessageType::kDropTextsReply, frame.head.operation, {});
  }
  std::string text;
  std::string answer(1, '\0');
  if (texts != nullptr && texts->find(frame.payload, &text)) {
    answer[0] = 1;
    answer += text;
  }
  put_text_frame(batch, MessageType::kFindTextReply, frame.head.operation, answer);
}

bool TextOperations::on_answer(MemberIndex from, const Frame& frame) {
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
