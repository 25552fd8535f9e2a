// SPDX-License-Identifier: Apache-2.0
// Any bytes as frames of a peer, as an object, a context and a token, and as the payload of every
// type of message to a whole coordinator. What decodes must encode to something that decodes alike;
// after any frame the coordinator must still serve. The first byte chooses.
#include <algorithm>
#include <memory>
#include <string>

#include "base/check.h"
#include "cluster/coordinator/coordinator.h"
#include "cluster/copies/hints.h"
#include "cluster/frontier/frontier_protocol.h"
#include "cluster/ring/founding.h"
#include "cluster/version/context.h"
#include "cluster/version/object_codec.h"
#include "cluster/wire/frame_chunks.h"
#include "tests/fuzz/fuzz_target.h"

namespace kvorum::fuzz {
namespace {

using namespace kvorum::cluster;  // NOLINT: half of it is under test here

void check_object(std::string_view bytes) {
  Object object;
  if (!decode_object(bytes, object)) return;
  std::string encoded;
  encode_object(object, encoded);
  Object again;
  KVORUM_CHECK(decode_object(encoded, again));
  KVORUM_CHECK(again.vector == object.vector);
  KVORUM_CHECK(versions_digest(again) == versions_digest(object));
  const Object merged = merge(object, again);
  KVORUM_CHECK(versions_digest(merged) == versions_digest(object));
}

void check_context(std::string_view bytes) {
  Context context;
  if (decode_context(bytes, context)) {
    std::string encoded;
    encode_context(context, encoded);
    Context again;
    KVORUM_CHECK(decode_context(encoded, again));
    KVORUM_CHECK(again.vector == context.vector);
  }
  const MacKey keys[] = {{1, 2}};
  KVORUM_CHECK(bytes.empty() || !decode_token(bytes, keys).ok());
}

// Chunks, each with a byte for its length before it, and of what they make no more than was sent.
void check_chunks(std::string_view bytes) {
  ChunkAssembler assembler;
  size_t sent = 0;
  while (bytes.size() > 9) {
    const size_t size = std::min<size_t>(static_cast<uint8_t>(bytes[0]), bytes.size() - 1);
    Frame frame{{MessageType::kChunk, 0, 0, static_cast<uint8_t>(bytes[1])}, bytes.substr(1, size)};
    sent += size;
    bytes.remove_prefix(1 + size);
    const ChunkAssembler::Result result = assembler.on_chunk(frame);
    if (result == ChunkAssembler::Result::kMalformed) return;
    KVORUM_CHECK(assembler.held_bytes() <= sent);
    if (result != ChunkAssembler::Result::kWhole) continue;
    KVORUM_CHECK(assembler.whole().payload.size() <= sent);
    assembler.drop_whole();
    std::string batch;
    assembler.put_taken(batch);
    ChunkSender sender;
    for (size_t size_taken = 0; !batch.empty(); batch.erase(0, size_taken)) {
      KVORUM_CHECK(parse_frame(batch, &frame, &size_taken) == FrameStatus::kFrame);
      KVORUM_CHECK(!sender.on_taken(frame));
    }
  }
}

void check_stream(std::string_view bytes) {
  check_chunks(bytes);
  Frame frame;
  size_t size = 0;
  while (parse_frame(bytes, &frame, &size) == FrameStatus::kFrame) {
    KVORUM_CHECK(size <= bytes.size());
    bytes.remove_prefix(size);
  }
}

EditOutput keep(const EditInput& input, std::string&) {
  EditOutput output;
  output.verdict = EditOutput::Verdict::kStore;
  output.bytes = input.value;
  return output;
}
constexpr EditRow kEdits[] = {{"set", keep, false, true}, {"edit", keep, true, false}};

// One of three members, the other two linked.
struct Node : CompletionSink, KeyspaceSink {
  Node()
      : table(options()),
        hint_table(Hints::table_options(7)),
        hints(&hint_table, &authors, HintOptions{}) {
    Founding founding;
    founding.partitions = 4;
    for (const char* name : {"a", "b", "c"}) {
      Member member;
      member.name = name;
      member.peer = Endpoint{"127.0.0.1", 7379};
      founding.members.push_back(member);
    }
    NodeParts parts;
    parts.table = &table;
    parts.hints = &hints;
    parts.authors = &authors;
    parts.clock = &clock;
    parts.marks = &marks;
    parts.edits = kEdits;
    parts.incarnation = 1;
    const auto view = std::make_shared<const ClusterView>(found_view(founding, "a"));
    frontier = std::make_unique<FrontierProtocol>(
        FrontierParts{&table, &hint_table, &clock, &marks, view}, 1);
    parts.frontier = frontier.get();
    coordinator = std::make_unique<Coordinator>(parts, view, CoordinatorOptions{}, 1);
    coordinator->set_sinks(this, this);
    for (MemberIndex peer = 1; peer < 3; ++peer) coordinator->on_link(peer, true, now);
  }
  static engine::TableOptions options() {
    engine::TableOptions table_options;
    table_options.partition_bits = 2;
    return table_options;
  }
  void on_complete(uint64_t, const Completion&) override { ++completed; }
  void on_keyspace_complete(uint64_t, const KeyspaceCompletion&) override {}

  AuthorTable authors;
  engine::ObjectTable table, hint_table;
  Hints hints;
  HybridClock clock;
  FlushMarks marks;
  std::unique_ptr<FrontierProtocol> frontier;
  std::unique_ptr<Coordinator> coordinator;
  Now now{1'000'000, 1'700'000'000'000};
  int completed = 0;
};

// The input as payloads of one length after another, to a node that has operations in flight.
void check_node(Choices choices) {
  Node node;
  Request request;
  request.key = KeyRef{"k", position_of("k"), 0};
  node.coordinator->submit(request, 1, node.now);
  request.kind = Request::Kind::kEdit;
  node.coordinator->submit(request, 2, node.now);
  while (!choices.rest().empty()) {
    FrameHead head{};
    head.type = static_cast<MessageType>(choices.byte());
    head.keyspace = static_cast<uint8_t>(choices.byte());
    head.flags = static_cast<uint16_t>(choices.byte());
    head.operation = (uint64_t{1} << 32) | (choices.byte() & 3);
    const size_t size = std::min<size_t>(choices.byte(), choices.rest().size());
    const Frame frame{head, choices.rest().substr(0, size)};
    node.coordinator->prefetch(std::span(&frame, 1));
    node.coordinator->on_message(1, frame, node.now);
    for (size_t taken = 0; taken < size; ++taken) choices.byte();
  }
  node.now.steady_us += 3'000'000;
  node.coordinator->on_time(node.now);
  node.now.steady_us += 3'000'000;
  node.coordinator->on_time(node.now);
  KVORUM_CHECK(node.completed == 2);
}

void fuzz_frames(std::string_view input) {
  Choices choices(input);
  switch (choices.byte() % 4) {
    case 0:
      return check_object(choices.rest());
    case 1:
      return check_context(choices.rest());
    case 2:
      return check_stream(choices.rest());
    default:
      return check_node(choices);
  }
}

const RegisterFuzzTarget kRegistered("frames_fuzz", &fuzz_frames);

}  // namespace
}  // namespace kvorum::fuzz
