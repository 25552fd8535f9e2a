// SPDX-License-Identifier: Apache-2.0
#include "server/node/node_self.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "cluster/history/history_view.h"
#include "cluster/ring/founding.h"
#include "server/flow/turn_clock.h"
#include "server/membership/cluster_file.h"
#include "server/process/cpu_count.h"
#include "server/process/random_number.h"

namespace kvorum::server {
namespace {

bool has_objects(const Config& config) {
  std::error_code error;
  return config.engine.type == EngineType::kLevelDb &&
         std::filesystem::exists(config.node.data_directory + "/objects", error);
}

// What is kept says it. What releases of before left behind has the first one; who has nothing
// begins with the newest. Who founded alone has nobody to agree with, unless its disk was lost and
// others joined before.
FoundedPlacement founded_by(const Config& config, const std::optional<KeptMembership>& kept) {
  FoundedPlacement founded{cluster::kPlacementNewest, false};
  if (!kept && !has_objects(config)) return founded;
  if (kept && kept->history) return {kept->history->founding().placement, true};
  founded.version = cluster::kPlacementUnmended;
  if (kept && kept->founded.version != 0) founded = kept->founded;
  founded.is_firm |= config.cluster.founders.size() == 1;
  return founded;
}

Config placed(Config config, uint8_t placement) {
  config.cluster.placement = placement;
  return config;
}

// Of a founder it follows from its name, so one whose disk was lost is the same node. Who is none
// chooses one, which is kept, or told by the members that know its name.
cluster::NodeId own_id(const Config& config, const std::optional<KeptMembership>& kept) {
  if (kept) return kept->id;
  if (!config.is_founder()) return random_number() | 1;
  return cluster::founder_id(cluster::founding_cluster_id(founding_of(config)), config.node.name);
}

std::shared_ptr<const cluster::ClusterView> first_view(const Config& config,
                                                       const cluster::History& history,
                                                       cluster::NodeId id) {
  if (history.changes().empty()) return std::make_shared<cluster::ClusterView>(make_view(config));
  cluster::SetPlacements placements;
  return std::make_shared<cluster::ClusterView>(cluster::view_of(history, placements, nullptr, id));
}

}  // namespace

NodeSelf::NodeSelf(const Config& from, std::optional<KeptMembership> kept)
    : founded(founded_by(from, kept)),
      config(placed(from, founded.version)),
      id(own_id(config, kept)),
      history(kept && kept->history ? std::move(*kept->history)
                                    : cluster::History(founding_of(config))),
      view(first_view(config, history, id)),
      reactors(config.reactors == 0 ? usable_cpus() : config.reactors),
      started_us(TurnClock(0).read().steady_us),
      started_wall_ms(wall_ms()),
      run_id(fmt::format("{:016x}{:016x}{:08x}", random_number(), random_number(),
                         static_cast<uint32_t>(random_number()))) {}

uint64_t NodeSelf::wall_ms() const { return TurnClock(config.clock_offset_ms).read().wall_ms; }

bool NodeSelf::is_alone() const {
  const auto present =
      std::count_if(view->members.begin(), view->members.end(),
                    [](const cluster::Member& member) { return !member.has_departed(); });
  return present == 1;
}

cluster::Endpoint NodeSelf::peer_address() const {
  for (const FounderConfig& founder : config.cluster.founders) {
    if (founder.member.name == config.node.name) return founder.member.peer;
  }
  return config.listen.peer;
}

cluster::Member NodeSelf::described() const {
  cluster::Member member;
  member.id = id;
  member.name = config.node.name;
  member.peer = peer_address();
  member.redis = config.listen.redis;
  member.memcached = config.listen.memcached;
  member.admin = config.listen.admin;
  member.weight = config.node.weight;
  member.rack = config.node.rack;
  member.zone = config.node.zone;
  return member;
}

std::string membership_refusal(const Config& config, const KeptMembership& kept) {
  const std::string& directory = config.node.data_directory;
  if (kept.node_name != config.node.name) {
    return fmt::format(
        "data directory {} belongs to node {}; this is node {}: give each node a "
        "directory of its own",
        directory, kept.node_name, config.node.name);
  }
  if (!kept.history) return {};
  const cluster::Founding& founding = kept.history->founding();
  const std::string otherwise =
      founded_otherwise({founding.cluster_name, founding.partitions, founding.partitioner}, config);
  if (otherwise.empty()) return {};
  return directory_refusal(directory, otherwise);
}

}  // namespace kvorum::server
