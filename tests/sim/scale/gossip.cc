// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scale/gossip.h"

#include <algorithm>

namespace kvorum::sim {
namespace {

constexpr double kSecond = 1e6;
constexpr uint64_t kCalmUs = 5'000'000;
constexpr uint64_t kSpreadLimitUs = 120'000'000;

using cluster::MessageType;

bool is_between(size_t type, MessageType first, MessageType last) {
  return type >= static_cast<size_t>(first) && type <= static_cast<size_t>(last);
}

double seconds_since(const Cluster& cluster, uint64_t then_us) {
  return static_cast<double>(cluster.queue.now_us() - then_us) / kSecond;
}

bool all_know(const Cluster& cluster, uint64_t digest) {
  return std::all_of(cluster.nodes.begin(), cluster.nodes.end(), [digest](const auto& node) {
    return !node->alive() || node->view().history_digest == digest;
  });
}

bool all_have_ring_of(const Cluster& cluster, const cluster::ClusterView& view) {
  return std::all_of(cluster.nodes.begin(), cluster.nodes.end(), [&view](const auto& node) {
    return node->alive() && node->view().newest_set == view.newest_set;
  });
}

}  // namespace

Swarm scale_swarm(const ScaleShape& shape, uint64_t seed) {
  Swarm swarm = plain_swarm(shape.nodes + shape.joiners);
  swarm.seed = seed;
  swarm.founders = shape.nodes;  // its history may grow
  swarm.partitions = shape.partitions;
  swarm.options.hints_interval_ms = cluster::CoordinatorOptions{}.hints_interval_ms;
  return swarm;
}

double seconds_to_spread(const ScaleShape& shape, uint64_t seed, bool at_once) {
  Swarm swarm = scale_swarm(shape, seed);
  if (!at_once) swarm.options.tells_max = 0;
  Cluster cluster(swarm);
  cluster.start();
  cluster.queue.run_for(kCalmUs);
  const size_t origin = seed % shape.nodes;
  cluster.change(origin, cluster::ChangeKind::kAddress, origin);
  const uint64_t began_us = cluster.queue.now_us();
  const uint64_t digest = cluster.nodes[origin]->wished_history().digest();
  const bool spread = cluster.run_until(kSpreadLimitUs, [&] { return all_know(cluster, digest); });
  KVORUM_CHECK(spread && cluster.violations.empty());
  return seconds_since(cluster, began_us);
}

RestBytes rest_bytes(const ScaleShape& shape, const RestSpan& span) {
  Cluster cluster(scale_swarm(shape, 1));
  cluster.start();
  cluster.queue.run_for(span.calm_us);
  const Network::Traffic before = cluster.network.sent_bytes();
  cluster.queue.run_for(span.span_us);
  const Network::Traffic after = cluster.network.sent_bytes();
  KVORUM_CHECK(cluster.violations.empty());
  RestBytes rest;
  const double seconds = static_cast<double>(span.span_us) / kSecond;
  for (size_t type = 0; type < after.size(); ++type) {
    const double bytes = static_cast<double>(after[type] - before[type]) /
                         static_cast<double>(shape.nodes) / seconds;
    if (type >= static_cast<size_t>(MessageType::kGossip)) {
      rest.gossip += bytes;
    } else if (is_between(type, MessageType::kProbe, MessageType::kProbeReply)) {
      rest.probes += bytes;
    } else if (is_between(type, MessageType::kExchangeOpen, MessageType::kExchangeDoneReply)) {
      rest.anti_entropy += bytes;
    } else {
      rest.other += bytes;
    }
  }
  return rest;
}

JoinFigures join_at_once(const ScaleShape& shape, uint64_t seed, uint64_t limit_us) {
  Cluster cluster(scale_swarm(shape, seed));
  cluster.start();
  cluster.queue.run_for(kCalmUs);
  const uint64_t began_us = cluster.queue.now_us();
  const Network::Traffic before = cluster.network.sent_bytes();
  for (size_t joiner = 0; joiner < shape.joiners; ++joiner) {
    KVORUM_CHECK(cluster.join(joiner % shape.nodes, shape.nodes + joiner));
  }
  JoinFigures figures;
  const auto one_ring = [&] {
    const cluster::ClusterView& view = cluster.nodes[0]->view();
    return view.members.size() == shape.nodes + shape.joiners && all_have_ring_of(cluster, view);
  };
  if (cluster.run_until(limit_us, one_ring)) figures.known_s = seconds_since(cluster, began_us);
  if (cluster.run_until(limit_us, [&] { return cluster.ring_settled(); })) {
    figures.settled_s = seconds_since(cluster, began_us);
  }
  uint64_t bytes = 0;
  for (size_t type = 0; type < before.size(); ++type) {
    bytes += cluster.network.sent_bytes()[type] - before[type];
  }
  figures.bytes_per_node =
      static_cast<double>(bytes) / static_cast<double>(shape.nodes + shape.joiners);
  KVORUM_CHECK(cluster.violations.empty());
  return figures;
}

}  // namespace kvorum::sim
