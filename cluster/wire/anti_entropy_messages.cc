// SPDX-License-Identifier: Apache-2.0
#include "cluster/wire/anti_entropy_messages.h"

#include "base/bytes.h"
#include "base/check.h"

namespace kvorum::cluster {
namespace {

constexpr uint16_t kRefused = 1 << 0;
constexpr uint16_t kWantsValues = 1 << 1;
constexpr uint16_t kHasValues = 1 << 2;
constexpr uint16_t kAll = 1 << 0;
constexpr uint16_t kNamesAll = 1 << 1;
constexpr uint16_t kFenced = 1 << 2;

bool valid_keyspace(const Frame& frame) { return frame.head.keyspace < kKeyspacesMax; }

void put_party(std::string& out, const ExchangeParty& party) {
  put_u64(out, party.node);
  put_u64(out, party.run);
  put_u64(out, party.clock.value);
  put_u8(out, party.whole ? 1 : 0);
}

ExchangeParty get_party(ByteReader& reader) {
  ExchangeParty party;
  party.node = reader.u64();
  party.run = reader.u64();
  party.clock = Hlc{reader.u64()};
  party.whole = reader.u8() != 0;
  return party;
}

// Ascending numbers as gaps.
class GapWriter {
 public:
  explicit GapWriter(std::string& out) : out_(out) {}
  void put(uint64_t number) {
    KVORUM_CHECK(number >= next_);
    put_varint(out_, number - next_);
    next_ = number + 1;
  }

 private:
  std::string& out_;
  uint64_t next_ = 0;
};

class GapReader {
 public:
  GapReader(ByteReader& reader, uint64_t most) : reader_(reader), most_(most) {}
  // False where it is not below `most`.
  bool get(uint64_t* number) {
    const uint64_t gap = reader_.varint();
    if (!reader_.ok() || next_ >= most_ || gap >= most_ - next_) return false;
    *number = next_ + gap;
    next_ = *number + 1;
    return true;
  }

 private:
  ByteReader& reader_;
  const uint64_t most_;
  uint64_t next_ = 0;
};

void put_fence(std::string& out, const RootFence& fence) {
  put_u64(out, fence.signature);
  put_u8(out, fence.whole ? 1 : 0);
}

RootFence get_fence(ByteReader& reader) {
  const uint64_t signature = reader.u64();
  return {signature, reader.u8() != 0};
}

void put_partitions(std::string& out, const std::vector<uint32_t>& partitions) {
  put_varint(out, partitions.size());
  GapWriter gaps(out);
  for (const uint32_t partition : partitions) gaps.put(partition);
}

bool get_partitions(ByteReader& reader, std::vector<uint32_t>* partitions) {
  GapReader gaps(reader, UINT32_MAX);
  for (uint64_t left = reader.varint(); left > 0 && reader.ok(); --left) {
    uint64_t partition = 0;
    if (!gaps.get(&partition)) return false;
    partitions->push_back(static_cast<uint32_t>(partition));
  }
  return reader.ok();
}

}  // namespace

void put_exchange_open(std::string& batch, SlotId round, const ExchangeOpen& message) {
  FrameWriter frame(batch, {MessageType::kExchangeOpen, 0, 0, round});
  put_party(batch, message.asker);
  put_u64(batch, message.view_hash);
  put_bytes(batch, message.gossip);
  for (const auto& [keyspace, digest] : message.keyspaces) {
    put_u8(batch, keyspace);
    put_u64(batch, digest);
  }
  frame.finish();
}

bool parse_exchange_open(const Frame& frame, ExchangeOpen* message) {
  ByteReader reader(frame.payload);
  message->asker = get_party(reader);
  message->view_hash = reader.u64();
  message->gossip = reader.bytes();
  while (!reader.done()) {
    const uint8_t keyspace = reader.u8();
    const uint64_t digest = reader.u64();
    if (!reader.ok() || keyspace >= kKeyspacesMax) return false;
    if (message->keyspaces.size() >= kKeyspacesMax) return false;
    message->keyspaces.emplace_back(keyspace, digest);
  }
  return reader.ok();
}

void put_exchange_open_reply(std::string& batch, SlotId round, const ExchangeOpenReply& message) {
  const uint16_t flags = message.refused ? kRefused : 0;
  FrameWriter frame(batch, {MessageType::kExchangeOpenReply, 0, flags, round});
  put_party(batch, message.peer);
  put_bytes(batch, message.gossip);
  for (const uint8_t keyspace : message.differing) put_u8(batch, keyspace);
  frame.finish();
}

bool parse_exchange_open_reply(const Frame& frame, ExchangeOpenReply* message) {
  ByteReader reader(frame.payload);
  message->refused = frame.head.flags & kRefused;
  message->peer = get_party(reader);
  message->gossip = reader.bytes();
  while (!reader.done()) {
    message->differing.push_back(reader.u8());
    if (message->differing.back() >= kKeyspacesMax) return false;
    if (message->differing.size() > kKeyspacesMax) return false;
  }
  return reader.ok();
}

void put_partition_roots(std::string& batch, const FrameHead& head, const PartitionRoots& message) {
  FrameHead flagged = head;
  flagged.flags = message.all ? kAll : 0;
  if (message.names_all) flagged.flags |= kNamesAll;
  const bool fenced = !message.fences.empty();
  KVORUM_CHECK(!fenced || message.fences.size() == message.roots.size());
  if (fenced) flagged.flags |= kFenced;
  FrameWriter frame(batch, flagged);
  put_party(batch, message.asker);
  GapWriter gaps(batch);
  for (size_t at = 0; at < message.roots.size(); ++at) {
    gaps.put(message.roots[at].first);
    put_u64(batch, message.roots[at].second);
    if (fenced) put_fence(batch, message.fences[at]);
  }
  frame.finish();
}

bool parse_partition_roots(const Frame& frame, PartitionRoots* message) {
  ByteReader reader(frame.payload);
  message->all = frame.head.flags & kAll;
  message->names_all = frame.head.flags & kNamesAll;
  message->asker = get_party(reader);
  GapReader gaps(reader, UINT32_MAX);
  while (!reader.done()) {
    uint64_t partition = 0;
    if (!gaps.get(&partition)) return false;
    message->roots.emplace_back(static_cast<uint32_t>(partition), reader.u64());
    if (frame.head.flags & kFenced) message->fences.push_back(get_fence(reader));
  }
  return reader.ok() && valid_keyspace(frame);
}

void put_partition_roots_reply(std::string& batch, const FrameHead& head,
                               const PartitionRootsReply& message) {
  FrameWriter frame(batch, head);
  put_party(batch, message.peer);
  put_partitions(batch, message.apart);
  put_partitions(batch, message.lacking);
  GapWriter gaps(batch);
  for (const auto& [partition, depth] : message.differing) {
    gaps.put(partition);
    put_u8(batch, depth);
  }
  frame.finish();
}

bool parse_partition_roots_reply(const Frame& frame, PartitionRootsReply* message) {
  ByteReader reader(frame.payload);
  message->peer = get_party(reader);
  if (!get_partitions(reader, &message->apart)) return false;
  if (!get_partitions(reader, &message->lacking)) return false;
  GapReader gaps(reader, UINT32_MAX);
  while (!reader.done()) {
    uint64_t partition = 0;
    if (!gaps.get(&partition)) return false;
    message->differing.emplace_back(static_cast<uint32_t>(partition), reader.u8());
  }
  return reader.ok() && valid_keyspace(frame);
}

void put_tree_nodes(std::string& batch, const FrameHead& head, const TreeNodes& message) {
  FrameWriter frame(batch, head);
  put_varint(batch, message.partition);
  put_u8(batch, message.level);
  put_u8(batch, message.fan);
  GapWriter gaps(batch);
  for (const uint64_t parent : message.parents) gaps.put(parent);
  frame.finish();
}

bool parse_tree_nodes(const Frame& frame, TreeNodes* message) {
  ByteReader reader(frame.payload);
  const uint64_t partition = reader.varint();
  message->partition = static_cast<uint32_t>(partition);
  message->level = reader.u8();
  message->fan = reader.u8();
  if (!reader.ok() || partition > UINT32_MAX || !valid_keyspace(frame)) return false;
  if (message->fan == 0 || message->fan > kTreeFanMax) return false;
  if (message->level > 32 || message->level < message->fan) return false;
  GapReader gaps(reader, uint64_t{1} << (message->level - message->fan));
  while (!reader.done()) {
    uint64_t parent = 0;
    if (message->parents.size() >= kTreeParentsMax || !gaps.get(&parent)) return false;
    message->parents.push_back(parent);
  }
  return true;
}

void put_tree_nodes_reply(std::string& batch, SlotId exchange, const TreeNodesReply& message) {
  FrameWriter frame(batch, {MessageType::kTreeNodesReply, 0, 0, exchange});
  put_u8(batch, message.depth);
  for (const uint64_t node : message.nodes) put_u64(batch, node);
  frame.finish();
}

bool parse_tree_nodes_reply(const Frame& frame, TreeNodesReply* message) {
  ByteReader reader(frame.payload);
  message->depth = reader.u8();
  while (!reader.done()) message->nodes.push_back(reader.u64());
  return reader.ok() && message->nodes.size() <= kTreeParentsMax << kTreeFanMax;
}

void put_range_digests(std::string& batch, const FrameHead& head, const RangeDigests& message) {
  FrameHead flagged = head;
  if (message.wants_values) flagged.flags |= kWantsValues;
  FrameWriter frame(batch, flagged);
  put_varint(batch, message.partition);
  put_u64(batch, message.from);
  put_u64(batch, message.end);
  for (const uint64_t digest : message.digests) put_u64(batch, digest);
  frame.finish();
}

bool parse_range_digests(const Frame& frame, RangeDigests* message) {
  ByteReader reader(frame.payload);
  const uint64_t partition = reader.varint();
  message->partition = static_cast<uint32_t>(partition);
  message->from = reader.u64();
  message->end = reader.u64();
  message->wants_values = frame.head.flags & kWantsValues;
  if (!reader.ok() || partition > UINT32_MAX || !valid_keyspace(frame)) return false;
  if (message->end != 0 && message->end <= message->from) return false;
  while (!reader.done()) {
    const uint64_t digest = reader.u64();
    if (!message->digests.empty() && digest < message->digests.back()) return false;
    if (message->digests.size() >= kRangeDigestsMax) return false;
    message->digests.push_back(digest);
  }
  return reader.ok();
}

void put_range_differences(std::string& batch, SlotId range, const RangeDifferences& message) {
  uint16_t flags = message.refused ? kRefused : 0;
  if (!message.values.empty()) flags |= kHasValues;
  FrameWriter frame(batch, {MessageType::kRangeDifferences, 0, flags, range});
  KVORUM_CHECK(message.lacked.size() <= kRangeDigestsMax);
  put_u64(batch, message.end);
  put_varint(batch, message.lacked.size());
  GapWriter gaps(batch);
  for (const uint32_t index : message.lacked) gaps.put(index);
  if (!message.values.empty()) {
    put_u64(batch, message.frontier.value);
    put_bytes(batch, message.values);
  }
  batch.append(message.items);
  frame.finish();
}

bool parse_range_differences(const Frame& frame, RangeDifferences* message) {
  ByteReader reader(frame.payload);
  message->refused = frame.head.flags & kRefused;
  message->end = reader.u64();
  const uint64_t count = reader.varint();
  if (!reader.ok() || count > kRangeDigestsMax) return false;
  GapReader gaps(reader, kRangeDigestsMax);
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t index = 0;
    if (!gaps.get(&index)) return false;
    message->lacked.push_back(static_cast<uint32_t>(index));
  }
  if (frame.head.flags & kHasValues) {
    message->frontier.value = reader.u64();
    message->values = reader.bytes();
  }
  message->items = reader.rest();
  return reader.ok();
}

void put_exchange_done(std::string& batch, const FrameHead& head, const ExchangeDone& message) {
  FrameWriter frame(batch, head);
  put_party(batch, message.asker);
  put_u64(batch, message.peer_run);
  put_u64(batch, message.peer_clock.value);
  put_varint(batch, message.partition);
  put_fence(batch, message.fence);
  frame.finish();
}

bool parse_exchange_done(const Frame& frame, ExchangeDone* message) {
  ByteReader reader(frame.payload);
  message->asker = get_party(reader);
  message->peer_run = reader.u64();
  message->peer_clock = Hlc{reader.u64()};
  const uint64_t partition = reader.varint();
  message->partition = static_cast<uint32_t>(partition);
  message->fence = get_fence(reader);
  return reader.ok() && reader.done() && partition <= UINT32_MAX && valid_keyspace(frame);
}

void put_exchange_done_reply(std::string& batch, SlotId exchange, bool refused) {
  const uint16_t flags = refused ? kRefused : 0;
  FrameWriter(batch, {MessageType::kExchangeDoneReply, 0, flags, exchange}).finish();
}

bool parse_exchange_done_reply(const Frame& frame, bool* refused) {
  *refused = frame.head.flags & kRefused;
  return frame.payload.empty();
}

}  // namespace kvorum::cluster
