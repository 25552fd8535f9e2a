// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "server/commands/words.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

std::string node_name(NodeFacts& facts, cluster::NodeId id) {
  const cluster::MemberIndex index = facts.view().find_id(id);
  if (index != cluster::kNoMember) return facts.view().members[index].name;
  return id == 0 ? std::string() : fmt::format("{:016x}", id);
}

void add_text(std::vector<Reply>& fields, std::string_view name, std::string text) {
  fields.push_back(Reply::bulk(name));
  fields.push_back(Reply::bulk_owned(std::move(text)));
}

void add_number(std::vector<Reply>& fields, std::string_view name, uint64_t number) {
  fields.push_back(Reply::bulk(name));
  fields.push_back(Reply::integer(static_cast<int64_t>(number)));
}

void kv_lastop(const CommandCall& call, Plan& plan) {
  std::vector<Reply> fields;
  if (call.session.has_last_service) {
    const cluster::ServiceRecord& service = call.session.last_service;
    add_text(fields, "coordinator", node_name(call.facts, service.coordinator));
    add_number(fields, "replicas", service.answered);
    add_number(fields, "primaries", service.primaries);
    add_number(fields, "fallbacks", service.fallbacks);
    add_number(fields, "hints", service.hints);
    add_number(fields, "repairs", service.repairs);
    add_number(fields, "hops", service.hops);
    add_number(fields, "microseconds", service.micros);
    if (service.short_of_w != 0) add_number(fields, "short_of_w", service.short_of_w);
  }
  plan.answer(Reply::map(std::move(fields)));
}

std::string dot_text(NodeFacts& facts, const cluster::Actor& actor, Hlc hlc) {
  return fmt::format("{}/{:016x}/{:x}@{:x}", node_name(facts, actor.node), actor.incarnation,
                     actor.birth.value, hlc.value);
}

Reply describe_version(const FinishInput& input, const cluster::Version& version) {
  std::vector<Reply> fields;
  add_text(fields, "dot", dot_text(input.facts, version.dot.actor, version.dot.hlc));
  add_text(fields, "type", version.type == cluster::TypeTag::kTombstone ? "tombstone" : "string");
  add_number(fields, "visible", cluster::visible(version, input.completion.now_ms) ? 1 : 0);
  add_number(fields, "deadline", version.deadline_ms);
  add_number(fields, "flags", version.flags);
  add_text(fields, "origin", fmt::format("{:016x}", cluster::origin_of(version)));
  fields.push_back(Reply::bulk("value"));
  fields.push_back(Reply::bulk(version.bytes));
  return Reply::map(std::move(fields));
}

Reply describe_replica(const FinishInput& input, const cluster::ReplicaFacts& replica) {
  std::vector<Reply> entries, versions;
  for (const cluster::VectorEntry& entry : replica.object.vector) {
    entries.push_back(Reply::bulk_owned(dot_text(input.facts, entry.actor, entry.hlc)));
  }
  for (const cluster::Version& version : replica.object.versions) {
    versions.push_back(describe_version(input, version));
  }
  std::vector<Reply> fields;
  add_text(fields, "node", node_name(input.facts, replica.node));
  add_number(fields, "answered", replica.answered ? 1 : 0);
  fields.push_back(Reply::bulk("vector"));
  fields.push_back(Reply::array(std::move(entries)));
  fields.push_back(Reply::bulk("versions"));
  fields.push_back(Reply::array(std::move(versions)));
  return Reply::map(std::move(fields));
}

Reply finish_kv_inspect(const FinishInput& input) {
  const cluster::ClusterView& view = input.facts.view();
  const Position position = position_of(input.key, view.partitioner);
  const uint32_t partition = view.ring.partition_of(position);
  std::vector<Reply> names, replicas;
  for (cluster::MemberIndex member : view.ring.preference_list(partition)) {
    names.push_back(Reply::bulk_owned(view.members[member].name));
  }
  if (input.completion.replicas) {
    for (const cluster::ReplicaFacts& replica : *input.completion.replicas) {
      replicas.push_back(describe_replica(input, replica));
    }
  }
  std::vector<Reply> fields;
  add_text(fields, "position", fmt::format("{:016x}{:016x}", position.high, position.low));
  add_number(fields, "partition", partition);
  fields.push_back(Reply::bulk("preference_list"));
  fields.push_back(Reply::array(std::move(names)));
  fields.push_back(Reply::bulk("replicas"));
  fields.push_back(Reply::array(std::move(replicas)));
  return Reply::map(std::move(fields));
}

void kv_inspect(const CommandCall& call, Plan& plan) {
  plan.add(cluster::Request::Kind::kInspect, call.words[1], finish_kv_inspect);
  plan.keeps_key = true;
}

std::string root_text(NodeFacts& facts, uint8_t keyspace, uint32_t partition) {
  return fmt::format("{:016x}", facts.partition_digest(keyspace, partition));
}

void all_digests(const CommandCall& call, Plan& plan) {
  const cluster::ClusterView& view = call.facts.view();
  std::vector<Reply> rows;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax && view.is_member(); ++keyspace) {
    for (uint32_t partition = 0; partition < view.ring.partitions(); ++partition) {
      if (!view.is_primary(view.self, keyspace, partition)) continue;
      if (call.facts.partition_records(keyspace, partition) == 0) continue;
      std::vector<Reply> row;
      row.push_back(Reply::integer(keyspace));
      row.push_back(Reply::integer(partition));
      row.push_back(Reply::bulk_owned(root_text(call.facts, keyspace, partition)));
      rows.push_back(Reply::array(std::move(row)));
    }
  }
  plan.answer(Reply::array(std::move(rows)));
}

void kv_digest(const CommandCall& call, Plan& plan) {
  if (call.words.size() == 1) return all_digests(call, plan);
  if (call.words.size() != 3) return plan.fail(protocol::kSyntaxError);
  const cluster::ClusterView& view = call.facts.view();
  int64_t keyspace = 0, partition = 0;
  if (!read_integer(call.words[1], plan, &keyspace)) return;
  if (!read_integer(call.words[2], plan, &partition)) return;
  if (keyspace < 0 || keyspace >= kKeyspacesMax) return plan.fail(protocol::kDbOutOfRange);
  if (partition < 0 || partition >= view.ring.partitions()) {
    return plan.fail_owned(
        fmt::format("ERR the partition must be from 0 to {}", view.ring.partitions() - 1));
  }
  const auto database = static_cast<uint8_t>(keyspace);
  const auto number = static_cast<uint32_t>(partition);
  if (!view.is_member() || !view.is_primary(view.self, database, number)) {
    return plan.fail("NOTOWNER this node is no primary of the partition");
  }
  plan.answer(Reply::bulk_owned(root_text(call.facts, database, number)));
}

constexpr CommandRow kRows[] = {
    {"kv.digest", -1, kReadonly, 0, 0, 0, Group::kQuorum, "1.0.0", "[keyspace partition]",
     "The digests of the partitions of which this node is a primary: equal on all primaries once "
     "they have converged.",
     "O(partitions)", kv_digest},
    {"kv.inspect", 2, kReadonly, 1, 1, 1, Group::kQuorum, "1.0.0", "key",
     "Where a key lives, and the versions that each replica holds.", "O(replicas)", kv_inspect},
    {"kv.lastop", 1, kFast | kLoading | kStale | kBarrier, 0, 0, 0, Group::kQuorum, "1.0.0", "",
     "How this connection's last operation was served.", "O(1)", kv_lastop},
};

}  // namespace

std::span<const CommandRow> operator_commands() { return kRows; }

}  // namespace kvorum::server
