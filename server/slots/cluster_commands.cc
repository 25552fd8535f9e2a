// SPDX-License-Identifier: Apache-2.0
// CLUSTER as clients of Redis Cluster ask it, where `partitioner: slots`: they find out who has
// which slots and send each request there, though any node serves any key and none says -MOVED. A
// node is the master of the slots of which it is the first primary that can be reached; the other
// primaries are its replicas. Members are changed by `kvorum join` and its like, not from here.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "server/commands/help.h"
#include "server/commands/words.h"
#include "server/slots/slot_ring.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

constexpr std::string_view kDisabled = "ERR This instance has cluster support disabled";
constexpr std::string_view kBadSlot = "ERR Invalid or out of range slot";
constexpr uint32_t kScanBatch = 1000;
constexpr int kSlotBits = 14;

bool has_slots(const CommandCall& call, Plan& plan) {
  if (call.facts.view().partitioner == Partitioner::kSlots) return true;
  plan.fail(kDisabled);
  return false;
}

SlotRing slot_ring(const CommandCall& call) {
  return make_slot_ring(call.facts.view(), call.facts.status());
}

// ---- SLOTS

Reply slots_node(const SlotNode& node) {
  std::vector<Reply> items;
  items.push_back(Reply::bulk_owned(node.host));
  items.push_back(Reply::integer(node.port));
  items.push_back(Reply::bulk_owned(node.id));
  items.push_back(Reply::array({}));
  return Reply::array(std::move(items));
}

void cluster_slots(const CommandCall& call, Plan& plan) {
  if (!has_slots(call, plan)) return;
  const SlotRing map = slot_ring(call);
  std::vector<Reply> rows;
  for (const SlotRange& range : map.ranges) {
    std::vector<Reply> row;
    row.push_back(Reply::integer(range.first));
    row.push_back(Reply::integer(range.last));
    for (const uint16_t node : range.nodes) {
      const bool is_master = node == range.nodes[0];
      if (is_master || map.nodes[node].up) row.push_back(slots_node(map.nodes[node]));
    }
    rows.push_back(Reply::array(std::move(row)));
  }
  plan.answer(Reply::array(std::move(rows)));
}

// ---- SHARDS: the ranges with the same nodes together

Reply shard_node(const SlotNode& node, bool is_master) {
  std::vector<Reply> fields;
  add_field(fields, "id", Reply::bulk_owned(node.id));
  add_field(fields, "port", Reply::integer(node.port));
  add_field(fields, "ip", Reply::bulk_owned(node.host));
  add_field(fields, "endpoint", Reply::bulk_owned(node.host));
  add_field(fields, "role", Reply::bulk(is_master ? "master" : "replica"));
  add_field(fields, "replication-offset", Reply::integer(0));
  add_field(fields, "health", Reply::bulk(node.up ? "online" : "fail"));
  return Reply::map(std::move(fields));
}

void cluster_shards(const CommandCall& call, Plan& plan) {
  if (!has_slots(call, plan)) return;
  const SlotRing map = slot_ring(call);
  std::map<std::vector<uint16_t>, std::vector<Reply>> slots_of;
  for (const SlotRange& range : map.ranges) {
    std::vector<Reply>& slots = slots_of[range.nodes];
    slots.push_back(Reply::integer(range.first));
    slots.push_back(Reply::integer(range.last));
  }
  std::vector<Reply> shards;
  for (auto& [nodes, slots] : slots_of) {
    std::vector<Reply> members;
    for (const uint16_t node : nodes) {
      members.push_back(shard_node(map.nodes[node], node == nodes[0]));
    }
    std::vector<Reply> fields;
    add_field(fields, "slots", Reply::array(std::move(slots)));
    add_field(fields, "nodes", Reply::array(std::move(members)));
    shards.push_back(Reply::map(std::move(fields)));
  }
  plan.answer(Reply::array(std::move(shards)));
}

// ---- NODES: a line for each, with the slots of which it is the master

std::string node_line(const SlotRing& map, size_t at) {
  const SlotNode& node = map.nodes[at];
  std::string line =
      fmt::format("{} {}:{}@{} {}{}{} - 0 0 {} {}", node.id, node.host, node.port, node.bus_port,
                  node.self ? "myself," : "", "master", node.up ? "" : ",fail",
                  map.epoch % INT64_MAX, node.up ? "connected" : "disconnected");
  for (const SlotRange& range : map.ranges) {
    if (range.nodes.empty() || range.nodes[0] != at) continue;
    line += range.first == range.last ? fmt::format(" {}", range.first)
                                      : fmt::format(" {}-{}", range.first, range.last);
  }
  return line + "\n";
}

void cluster_nodes(const CommandCall& call, Plan& plan) {
  if (!has_slots(call, plan)) return;
  const SlotRing map = slot_ring(call);
  std::string text;
  for (size_t at = 0; at < map.nodes.size(); ++at) text += node_line(map, at);
  plan.answer(Reply::verbatim_owned(std::move(text)));
}

// ---- the others

void cluster_info(const CommandCall& call, Plan& plan) {
  if (!has_slots(call, plan)) return;
  const SlotRing map = slot_ring(call);
  uint32_t failing = 0;
  for (const SlotRange& range : map.ranges) {
    const bool served = !range.nodes.empty() && map.nodes[range.nodes[0]].up;
    if (!served) failing += range.last - range.first + 1;
  }
  plan.answer(Reply::verbatim_owned(
      fmt::format("cluster_enabled:1\r\ncluster_state:{}\r\ncluster_slots_assigned:{}\r\ncluster_"
                  "slots_ok:{}\r\n"
                  "cluster_slots_pfail:0\r\ncluster_slots_fail:{}\r\ncluster_known_nodes:{}\r\n"
                  "cluster_size:{}\r\ncluster_current_epoch:{}\r\ncluster_my_epoch:{}\r\n"
                  "cluster_stats_messages_sent:0\r\ncluster_stats_messages_received:0\r\n"
                  "total_cluster_links_buffer_limit_exceeded:0\r\n",
                  failing == 0 ? "ok" : "fail", kSlots, kSlots - failing, failing, map.nodes.size(),
                  map.nodes.size(), map.epoch % INT64_MAX, map.epoch % INT64_MAX)));
}

void cluster_myid(const CommandCall& call, Plan& plan) {
  if (!has_slots(call, plan)) return;
  const cluster::ClusterView& view = call.facts.view();
  const cluster::NodeId id = view.is_member() ? view.members[view.self].id : 0;
  plan.answer(Reply::bulk_owned(slot_node_id(id)));
}

void cluster_keyslot(const CommandCall& call, Plan& plan) {
  if (!has_slots(call, plan)) return;
  plan.answer(Reply::integer(slot_of(call.words[2])));
}

std::optional<uint32_t> read_slot(std::string_view word, Plan& plan) {
  const std::optional<int64_t> slot = protocol::parse_int64(word);
  if (slot && *slot >= 0 && *slot < int64_t{kSlots}) return static_cast<uint32_t>(*slot);
  plan.fail(kBadSlot);
  return std::nullopt;
}

// A scan that begins with the slot, by all nodes: positions begin with it. Remembered::number is
// the slot.
void scan_slot(uint32_t slot, KeyspaceFinish finish, Plan& plan) {
  plan.remembered.number = slot;
  plan.whole_keyspace(cluster::KeyspaceRequest::Kind::kScan, finish);
  plan.keyspace_request.cursor = uint64_t{slot} << (cluster::kScanCursorBits - kSlotBits);
  plan.keyspace_request.count = kScanBatch;
}

// Whether the scan has keys of the slot still before it.
bool goes_on(const cluster::KeyspaceCompletion& completion, const Remembered& remembered) {
  const uint64_t slot = completion.cursor >> (cluster::kScanCursorBits - kSlotBits);
  return completion.cursor != 0 && slot == static_cast<uint64_t>(remembered.number);
}

KeyspaceStep finish_count(const cluster::KeyspaceCompletion& completion, Remembered& remembered) {
  for (const std::string& key : completion.keys) {
    remembered.second += slot_of(key) == remembered.number;
  }
  if (goes_on(completion, remembered)) return {true, completion.cursor, {}};
  return {false, 0, Reply::integer(remembered.second)};
}

void cluster_countkeysinslot(const CommandCall& call, Plan& plan) {
  if (!has_slots(call, plan)) return;
  if (const auto slot = read_slot(call.words[2], plan)) scan_slot(*slot, finish_count, plan);
}

// Remembered::second are those that are still wanted, of all that its text says.
KeyspaceStep finish_keys(const cluster::KeyspaceCompletion& completion, Remembered& remembered) {
  for (const std::string& key : completion.keys) {
    if (remembered.second == 0) break;
    if (slot_of(key) != remembered.number) continue;
    protocol::append_bulk(remembered.gathered, key);
    --remembered.second;
  }
  if (remembered.second > 0 && goes_on(completion, remembered)) {
    return {true, completion.cursor, {}};
  }
  const int64_t wanted = protocol::parse_int64(remembered.text).value_or(0);
  std::string bytes;
  protocol::append_array_header(bytes, static_cast<size_t>(wanted - remembered.second));
  bytes += remembered.gathered;
  return {false, 0, Reply::preformatted_owned(std::move(bytes))};
}

void cluster_getkeysinslot(const CommandCall& call, Plan& plan) {
  if (!has_slots(call, plan)) return;
  const auto slot = read_slot(call.words[2], plan);
  if (!slot) return;
  const std::optional<int64_t> count = protocol::parse_int64(call.words[3]);
  if (!count || *count < 0) return plan.fail("ERR Invalid number of keys");
  const int64_t wanted = std::min<int64_t>(*count, 1'000'000);
  scan_slot(*slot, finish_keys, plan);
  plan.remembered.second = wanted;
  plan.remembered.text = std::to_string(wanted);
}

Reply link_row(std::string_view direction, const SlotNode& node) {
  std::vector<Reply> fields;
  add_field(fields, "direction", Reply::bulk(direction));
  add_field(fields, "node", Reply::bulk_owned(node.id));
  add_field(fields, "create-time", Reply::integer(0));
  add_field(fields, "events", Reply::bulk("rw"));
  add_field(fields, "send-buffer-allocated", Reply::integer(0));
  add_field(fields, "send-buffer-used", Reply::integer(0));
  return Reply::map(std::move(fields));
}

void cluster_links(const CommandCall& call, Plan& plan) {
  if (!has_slots(call, plan)) return;
  std::vector<Reply> links;
  for (const SlotNode& node : slot_ring(call).nodes) {
    if (node.self || !node.up) continue;
    links.push_back(link_row("to", node));
    links.push_back(link_row("from", node));
  }
  plan.answer(Reply::array(std::move(links)));
}

void answer_ok(const CommandCall& call, Plan& plan) {
  if (has_slots(call, plan)) plan.answer(Reply::ok());
}

constexpr uint32_t kAsked = kLoading | kStale;
constexpr Group kGroup = Group::kCluster;

constexpr CommandRow kRows[] = {
    {"asking", 1, kFast, 0, 0, 0, kGroup, "3.0.0", "",
     "OK: any node serves any key (needs `partitioner: slots`, as all of these).", "O(1)",
     answer_ok},
    {"cluster", -2, kContainer, 0, 0, 0, kGroup, "3.0.0", "subcommand",
     "What clients of Redis Cluster ask.", "O(1)", nullptr},
    {"cluster|countkeysinslot", 3, kStale, 0, 0, 0, kGroup, "3.0.0", "slot",
     "The live keys of a slot, at all nodes.", "O(N) for N keys of the slot",
     cluster_countkeysinslot},
    {"cluster|getkeysinslot", 4, kStale, 0, 0, 0, kGroup, "3.0.0", "slot count",
     "Keys of a slot, at all nodes.", "O(N) for N keys of the slot", cluster_getkeysinslot,
     &hint::kUncertain},
    {"cluster|help", 2, kAsked, 0, 0, 0, kGroup, "5.0.0", "", "Lists the subcommands.", "O(1)",
     subcommand_help},
    {"cluster|info", 2, kAsked, 0, 0, 0, kGroup, "3.0.0", "", "The state of the cluster.", "O(Q)",
     cluster_info, &hint::kUncertain},
    {"cluster|keyslot", 3, kAsked, 0, 0, 0, kGroup, "3.0.0", "key", "The slot of a key.",
     "O(N) for N bytes", cluster_keyslot},
    {"cluster|links", 2, kAsked, 0, 0, 0, kGroup, "7.0.0", "",
     "The links to the members that can be reached; buffers are not told.", "O(N)", cluster_links,
     &hint::kUncertain},
    {"cluster|myid", 2, kAsked, 0, 0, 0, kGroup, "3.0.0", "", "This node.", "O(1)", cluster_myid},
    {"cluster|nodes", 2, kAsked, 0, 0, 0, kGroup, "3.0.0", "",
     "The members, with the slots for which each is asked first.", "O(Q)", cluster_nodes,
     &hint::kUncertain},
    {"cluster|shards", 2, kAsked, 0, 0, 0, kGroup, "7.0.0", "",
     "Slots with the same nodes, together.", "O(Q)", cluster_shards, &hint::kUncertain},
    {"cluster|slots", 2, kAsked, 0, 0, 0, kGroup, "3.0.0", "",
     "Ranges of slots, with the node to ask and those that have them too.", "O(Q)", cluster_slots,
     &hint::kUncertain},
    {"readonly", 1, kFast | kAsked, 0, 0, 0, kGroup, "3.0.0", "",
     "OK: every node answers reads alike.", "O(1)", answer_ok},
    {"readwrite", 1, kFast | kAsked, 0, 0, 0, kGroup, "3.0.0", "", "OK, likewise.", "O(1)",
     answer_ok},
};

}  // namespace

std::span<const CommandRow> cluster_commands() { return kRows; }

}  // namespace kvorum::server
