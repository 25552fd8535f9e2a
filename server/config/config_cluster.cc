// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <bit>
#include <map>
#include <set>
#include <utility>

#include "cluster/ring/placement.h"
#include "server/config/config_sections.h"

namespace kvorum::server {
namespace {

using cluster::kPartitionsMax;

void read_partitions(const ConfigSection& section, uint32_t& partitions) {
  uint32_t read = partitions;
  section.number<uint32_t>("partitions", {1, kPartitionsMax}, read);
  if (std::has_single_bit(read)) {
    partitions = read;
    return;
  }
  section.problem("partitions", fmt::format("{} is not a power of two; the nearest are {} and {}",
                                            read, std::bit_floor(read), std::bit_ceil(read)));
}

// The founding members one by one, checked against those before them.
class MembersReader {
 public:
  explicit MembersReader(ProblemList* problems) : problems_(problems) {}

  void read(const YAML::Node& list) {
    if (!list.IsDefined() || list.IsNull()) return;
    if (!list.IsSequence()) {
      problems_->add(list.Mark(),
                     fmt::format("cluster.members: expected a list, found {}", describe(list)));
      return;
    }
    if (list.size() > cluster::kMembersMax) {
      problems_->add(list.Mark(), fmt::format("cluster.members: {} are too many; allowed are {}",
                                              list.size(), cluster::kMembersMax));
      return;
    }
    for (size_t index = 0; index < list.size(); ++index) read_member(list[index], index);
  }
  std::vector<FounderConfig> take() { return std::move(founders_); }

 private:
  void read_member(const YAML::Node& node, size_t index) {
    const ConfigSection section(
        node, fmt::format("cluster.members[{}]", index),
        {"name", "peer", "redis", "memcached", "admin", "data", "weight", "rack", "zone"},
        problems_);
    FounderConfig founder;
    cluster::Member& member = founder.member;
    section.name("name", member.name);
    section.endpoint("peer", member.peer);
    section.endpoint("redis", member.redis);
    section.endpoint("memcached", member.memcached);
    section.endpoint("admin", member.admin);
    section.text("data", founder.data_directory);
    section.number<uint32_t>("weight", {1, kWeightMax}, member.weight);
    section.name("rack", member.rack);
    section.name("zone", member.zone);
    if (node.IsMap()) {
      require(section, "name", "every member needs a name");
      require(section, "peer", "every member needs the address at which the others reach it");
    }
    check_repetitions(section, founder);
    founders_.push_back(std::move(founder));
  }

  void require(const ConfigSection& section, std::string_view key, std::string_view why) {
    if (section.has(key)) return;
    problems_->add(section.mark(), fmt::format("{} is missing: {}", section.path_of(key), why));
  }

  void check_repetitions(const ConfigSection& section, const FounderConfig& founder) {
    const cluster::Member& member = founder.member;
    if (!member.name.empty() && !names_.insert(member.name).second) {
      section.problem("name",
                      fmt::format("'{}' is already the name of another member", member.name));
    }
    claim(section, "peer", member.peer.to_text(), member.peer.host);
    // The other addresses may be wildcards or loopback ones: only nodes of one host collide.
    claim(section, "redis", member.redis.to_text(), member.peer.host);
    claim(section, "memcached", member.memcached.to_text(), member.peer.host);
    claim(section, "admin", member.admin.to_text(), member.peer.host);
    claim(section, "data", founder.data_directory, member.peer.host);
  }

  void claim(const ConfigSection& section, std::string_view key, const std::string& value,
             const std::string& host) {
    if (value.empty()) return;
    const auto [owner, is_new] = claimed_.try_emplace({host, value}, section.path_of(key));
    if (is_new) return;
    section.problem(key, fmt::format("'{}' is already {}", value, owner->second));
  }

  ProblemList* const problems_;
  std::vector<FounderConfig> founders_;
  std::set<std::string> names_;
  std::map<std::pair<std::string, std::string>, std::string> claimed_;  // host, value -> path
};

}  // namespace

void read_cluster(const ConfigSection& top, ProblemList* problems, ClusterConfig& cluster) {
  const ConfigSection section =
      top.section("cluster", {"name", "secret", "partitions", "partitioner", "members"});
  section.name("name", cluster.name);
  section.texts("secret", cluster.secrets);
  read_partitions(section, cluster.partitions);
  section.choice<Partitioner>("partitioner",
                              {{"md5", Partitioner::kMd5}, {"slots", Partitioner::kSlots}},
                              cluster.partitioner);
  MembersReader members(problems);
  members.read(section.child("members"));
  cluster.founders = members.take();
}

}  // namespace kvorum::server
