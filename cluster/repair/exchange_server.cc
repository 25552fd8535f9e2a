// SPDX-License-Identifier: Apache-2.0
#include "cluster/repair/exchange_server.h"

#include <algorithm>

#include "base/packed.h"
#include "cluster/frontier/frontier_protocol.h"
#include "cluster/wire/keyspace_messages.h"

namespace kvorum::cluster {

bool ExchangeServer::on_message(LinkIndex from, const Frame& frame, Now now) {
  if (!core_.view->is_member()) return true;
  switch (frame.head.type) {
    case MessageType::kExchangeOpen:
      return on_open(from, frame, now);
    case MessageType::kPartitionRoots:
      return on_roots(from, frame, now);
    case MessageType::kTreeNodes:
      return on_nodes(from, frame);
    case MessageType::kRangeDigests:
      return on_range(from, frame);
    case MessageType::kExchangeDone:
      return on_done(from, frame, now);
    default:
      return false;
  }
}

MemberIndex ExchangeServer::member_of(const ExchangeParty& party) const {
  const MemberIndex member = core_.view->find_id(party.node);
  return member == core_.self() ? kNoMember : member;
}

bool ExchangeServer::on_open(LinkIndex from, const Frame& frame, Now now) {
  ExchangeOpen message;
  if (!parse_exchange_open(frame, &message)) return false;
  ExchangeOpenReply answer;
  answer.peer = party_of(core_, now);
  const MemberIndex asker = member_of(message.asker);
  answer.refused = asker == kNoMember || message.view_hash != core_.view->exchange_hash();
  std::string gossip;
  CleanExchanges* const exchanges = core_.parts.exchanges;
  if (!answer.refused && exchanges && exchanges->observer()) {
    exchanges->observer()->on_gossip(message.asker.node, message.gossip);
    exchanges->observer()->write_gossip(message.asker.node, gossip);
  }
  answer.gossip = gossip;
  for (const auto& [keyspace, digest] : message.keyspaces) {
    if (answer.refused) break;
    const auto shared = shared_partitions(core_, keyspace, asker);
    const bool damaged =
        std::any_of(shared.begin(), shared.end(), [&, number = keyspace](uint32_t partition) {
          return core_.parts.is_damaged(number, partition);
        });
    if (damaged || roots_digest(core_, keyspace, shared) != digest) {
      answer.differing.push_back(keyspace);
    } else {
      const uint64_t signature = core_.view->is_changed() ? core_.view->newest_set : 0;
      core_.note_clean(
          keyspace, shared,
          clean_exchange(answer.peer, message.asker, {signature, message.asker.whole}));
    }
  }
  send_counted(core_, from, [&](std::string& batch) {
    put_exchange_open_reply(batch, frame.head.operation, answer);
  });
  return true;
}

// Those that the asker compares: as it named them, or as both come to know by the same placement.
std::vector<uint32_t> ExchangeServer::compared_partitions(uint8_t keyspace, MemberIndex asker,
                                                          const PartitionRoots& message) const {
  std::vector<uint32_t> compared;
  if (message.names_all) {
    for (const auto& [partition, root] : message.roots) {
      if (partition < core_.view->ring.partitions()) compared.push_back(partition);
    }
    return compared;
  }
  compared = shared_partitions(core_, keyspace, asker);
  if (message.all) return compared;
  std::erase_if(compared,
                [&](uint32_t partition) { return !drives(asker, core_.self(), partition); });
  return compared;
}

// While the ring changes an exchange is between two that know the same, and into an owner's copy.
bool ExchangeServer::is_apart(uint8_t keyspace, uint32_t partition, const RootFence& theirs) const {
  if (!core_.view->is_changed() && theirs.signature == 0) return false;
  const RootFence own = fence_of(core_, keyspace, partition);
  return own.signature == 0 || own.signature != theirs.signature ||
         !core_.view->is_owner(core_.self(), keyspace, partition);
}

bool ExchangeServer::on_roots(LinkIndex from, const Frame& frame, Now now) {
  PartitionRoots message;
  if (!parse_partition_roots(frame, &message)) return false;
  const uint8_t keyspace = frame.head.keyspace;
  const MemberIndex asker = member_of(message.asker);
  if (asker == kNoMember) return true;
  PartitionRootsReply answer;
  answer.peer = party_of(core_, now);
  auto named = message.roots.begin();
  for (const uint32_t partition : compared_partitions(keyspace, asker, message)) {
    while (named != message.roots.end() && named->first < partition) ++named;
    const bool is_named = named != message.roots.end() && named->first == partition;
    RootFence theirs{0, false};
    if (is_named && !message.fences.empty()) {
      theirs = message.fences[static_cast<size_t>(named - message.roots.begin())];
    }
    if (is_apart(keyspace, partition, theirs)) {
      answer.apart.push_back(partition);
      continue;
    }
    if (!core_.parts.is_whole(keyspace, partition)) answer.lacking.push_back(partition);
    const bool same =
        core_.parts.table->digest(keyspace, partition) == (is_named ? named->second : 0);
    if (same && !core_.parts.is_damaged(keyspace, partition)) {
      core_.note_clean(keyspace, std::span(&partition, 1),
                       clean_exchange(answer.peer, message.asker, theirs));
    } else {
      const int depth = core_.parts.table->trees().depth(keyspace, partition);
      answer.differing.emplace_back(partition, static_cast<uint8_t>(depth));
    }
  }
  const FrameHead head{MessageType::kPartitionRootsReply, keyspace, 0, frame.head.operation};
  send_counted(core_, from,
               [&](std::string& batch) { put_partition_roots_reply(batch, head, answer); });
  return true;
}

bool ExchangeServer::on_nodes(LinkIndex from, const Frame& frame) {
  TreeNodes message;
  if (!parse_tree_nodes(frame, &message)) return false;
  if (message.partition >= core_.view->ring.partitions()) return false;
  const engine::ObjectTable& table = *core_.parts.table;
  TreeNodesReply answer;
  answer.depth = static_cast<uint8_t>(table.trees().depth(frame.head.keyspace, message.partition));
  if (answer.depth >= message.level) {
    for (const uint64_t parent : message.parents) {
      const engine::TreeRange children{frame.head.keyspace, message.partition, message.level,
                                       parent << message.fan, uint64_t{1} << message.fan};
      if (table.trees().nodes(children, answer.nodes)) continue;
      answer = {};  // it was made coarser just now
      break;
    }
  }
  send_counted(core_, from, [&](std::string& batch) {
    put_tree_nodes_reply(batch, frame.head.operation, answer);
  });
  return true;
}

bool ExchangeServer::on_range(LinkIndex from, const Frame& frame) {
  SlotId id;
  Serving& serving = servings_.acquire(&id);
  serving.asker = from;
  serving.operation = frame.head.operation;
  serving.keyspace = frame.head.keyspace;
  serving.question = {};
  const bool parsed = parse_range_digests(frame, &serving.question);
  if (!parsed || serving.question.partition >= core_.view->ring.partitions()) {
    servings_.release(id);
    return false;
  }
  const RangeDigests& question = serving.question;
  const bool values = question.wants_values;
  serving.frontier = core_.parts.frontier == nullptr
                         ? Hlc{}
                         : core_.parts.frontier->copies().of(serving.keyspace, question.partition);
  const RangeLoad range{id,
                        serving.keyspace,
                        question.partition,
                        Position{question.from, 0},
                        values ? values_per_page() : kObjectsMax,
                        question.end,
                        RangeLoad::Reader::kExchangeServer,
                        values};
  std::optional<RangeObjects> own = read_range(core_, range);
  if (!own && servings_.used() < kServingsMax) {
    core_.outbox.range_loads.push_back(range);
    return true;
  }
  if (!own) own = RangeObjects{true, 0, {}};
  answer_range(serving, *own);
  servings_.release(id);
  return true;
}

void ExchangeServer::on_scanned(SlotId id, const ScanPage& page) {
  Serving* serving = servings_.find(id);
  if (!serving) return;
  answer_range(*serving, range_objects_of(core_, serving->keyspace, page));
  servings_.release(id);
}

size_t ExchangeServer::values_per_page() const {
  return std::clamp<size_t>(kValuesBytes / average_bytes_, 1, kValuesPerPageMax);
}

// All that is there: the asker has nothing.
void ExchangeServer::answer_values(const Serving& serving, const RangeObjects& own) {
  RangeDifferences answer;
  answer.refused = own.refused;
  answer.end = own.end;
  answer.frontier = serving.frontier;
  std::string items, packed;
  for (const RangeObject& object : own.objects) {
    put_page_item(items, {object.high, object.key, object.stripped});
  }
  answer.items = items;
  pack(own.values, packed);
  answer.values = packed;
  if (own.whole > 0) average_bytes_ = (average_bytes_ * 3 + own.values.size() / own.whole) / 4 + 1;
  send_counted(core_, serving.asker, [&](std::string& batch) {
    put_range_differences(batch, serving.operation, answer);
  });
}

void ExchangeServer::answer_range(const Serving& serving, const RangeObjects& own) {
  if (serving.question.wants_values) return answer_values(serving, own);
  const std::vector<uint64_t>& asked = serving.question.digests;
  RangeDifferences answer;
  answer.refused = own.refused;
  answer.end = own.end;
  std::string items;
  std::vector<bool> held(asked.size());
  uint64_t last = serving.question.from;
  for (const RangeObject& object : own.objects) {
    const auto found = std::lower_bound(asked.begin(), asked.end(), object.digest);
    if (object.digest != 0 && found != asked.end() && *found == object.digest) {
      held[static_cast<size_t>(found - asked.begin())] = true;
      continue;
    }
    if (items.size() >= kItemsBytesMax && object.high != last) {
      answer.end = object.high;
      break;
    }
    last = object.high;
    put_page_item(items, {object.high, object.key, object.stripped});
  }
  answer.items = items;
  for (size_t at = 0; at < asked.size(); ++at) {
    if (!held[at]) answer.lacked.push_back(static_cast<uint32_t>(at));
  }
  send_counted(core_, serving.asker, [&](std::string& batch) {
    put_range_differences(batch, serving.operation, answer);
  });
}

bool ExchangeServer::on_done(LinkIndex from, const Frame& frame, Now now) {
  ExchangeDone message;
  if (!parse_exchange_done(frame, &message)) return false;
  if (message.partition >= core_.view->ring.partitions()) return false;
  const ExchangeParty own = party_of(core_, now);
  const bool refused = member_of(message.asker) == kNoMember || own.run != message.peer_run ||
                       core_.parts.is_damaged(frame.head.keyspace, message.partition);
  if (!refused) {
    CleanExchange exchange = clean_exchange(own, message.asker, message.fence);
    exchange.began = message.peer_clock;
    core_.note_clean(frame.head.keyspace, std::span(&message.partition, 1), exchange);
  }
  send_counted(core_, from, [&](std::string& batch) {
    put_exchange_done_reply(batch, frame.head.operation, refused);
  });
  return true;
}

}  // namespace kvorum::cluster
