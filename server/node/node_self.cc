// SPDX-License-Identifier: Apache-2.0
#include "server/node/node_self.h"

#include <fmt/format.h>

#include "cluster/ring/founding.h"
#include "server/flow/turn_clock.h"
#include "server/process/cpu_count.h"
#include "server/process/random_number.h"

namespace kvorum::server {
namespace {

cluster::NodeId id_of(const cluster::ClusterView& view, const std::string& name) {
  return view.is_member() ? view.members[view.self].id : cluster::founder_id(view.cluster_id, name);
}

}  // namespace

NodeSelf::NodeSelf(const Config& from)
    : config(from),
      view(std::make_shared<cluster::ClusterView>(make_view(config))),
      id(id_of(*view, config.node.name)),
      reactors(config.reactors == 0 ? usable_cpus() : config.reactors),
      started_us(TurnClock(0).read().steady_us),
      started_wall_ms(wall_ms()),
      run_id(fmt::format("{:016x}{:016x}{:08x}", random_number(), random_number(),
                         static_cast<uint32_t>(random_number()))) {}

uint64_t NodeSelf::wall_ms() const { return TurnClock(config.clock_offset_ms).read().wall_ms; }

}  // namespace kvorum::server
