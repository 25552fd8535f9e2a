// SPDX-License-Identifier: Apache-2.0
// KV.RING: the ring for clients that send each request to who coordinates it, with either
// partitioner. A client keeps it until the epoch is another one.
#include "server/commands/words.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

Reply member_map(const cluster::Member& member) {
  std::vector<Reply> fields;
  add_field(fields, "name", Reply::bulk_owned(member.name));
  add_field(fields, "redis", Reply::bulk_owned(member.redis.to_text()));
  add_field(fields, "memcached", Reply::bulk_owned(member.memcached.to_text()));
  add_field(fields, "departed", Reply::integer(member.has_departed() ? 1 : 0));
  return Reply::map(std::move(fields));
}

void kv_ring(const CommandCall& call, Plan& plan) {
  const cluster::ClusterView& view = call.facts.view();
  std::vector<Reply> members, owners;
  for (const cluster::Member& member : view.members) members.push_back(member_map(member));
  for (uint32_t partition = 0; partition < view.ring.partitions(); ++partition) {
    std::vector<Reply> indices;
    for (const cluster::MemberIndex member : view.readers(call.session.keyspace, partition)) {
      indices.push_back(Reply::integer(member));
    }
    owners.push_back(Reply::array(std::move(indices)));
  }
  std::vector<Reply> fields;
  add_field(fields, "epoch", Reply::bulk_owned(std::to_string(view.newest_set)));
  add_field(fields, "partitioner",
            Reply::bulk(view.partitioner == Partitioner::kSlots ? "slots" : "md5"));
  add_field(fields, "partitions", Reply::integer(view.ring.partitions()));
  add_field(fields, "members", Reply::array(std::move(members)));
  add_field(fields, "owners", Reply::array(std::move(owners)));
  plan.answer(Reply::map(std::move(fields)));
}

constexpr CommandRow kRows[] = {
    {"kv.ring", 1, kLoading | kStale, 0, 0, 0, Group::kQuorum, "0.1.0", "",
     "The ring: an epoch, the members, and of each partition those who are asked, the first one "
     "first, by their places among the members.",
     "O(Q) for Q partitions", kv_ring},
};

}  // namespace

std::span<const CommandRow> ring_commands() { return kRows; }

}  // namespace kvorum::server
