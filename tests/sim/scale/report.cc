// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scale/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include "tests/sim/scale/gossip.h"
#include "tests/sim/scale/load.h"
#include "tests/sim/scale/memory.h"

namespace kvorum::sim {
namespace {

constexpr uint64_t kSeeds = 5;
constexpr uint32_t kGossipPartitions = 256;  // a node takes 10 MB then, however few objects it has
constexpr uint64_t kSettleLimitUs = 600'000'000;

void print_gossip() {
  fmt::print(
      "| nodes | log2 | rounds, gossip alone: median | worst | told at once | bytes per node "
      "and second at rest: gossip | probes | anti-entropy | all "
      "|\n|---|---|---|---|---|---|---|---|"
      "---|\n");
  for (const size_t nodes : {10, 100, 500}) {
    const ScaleShape shape{nodes, kGossipPartitions, 0};
    std::vector<double> rounds;
    const uint64_t seeds = nodes > 100 ? 1 : kSeeds;
    for (uint64_t seed = 1; seed <= seeds; ++seed) {
      rounds.push_back(seconds_to_spread(shape, seed, false));
    }
    std::sort(rounds.begin(), rounds.end());
    const double told = seconds_to_spread(shape, 1, true);
    const RestBytes rest = rest_bytes(shape, {});
    fmt::print("| {} | {:.1f} | {:.1f} | {:.1f} | {:.2f} s | {:.0f} | {:.0f} | {:.0f} | {:.0f} |\n",
               nodes, std::log2(static_cast<double>(nodes)), rounds[rounds.size() / 2],
               rounds.back(), told, rest.gossip, rest.probes, rest.anti_entropy, rest.total());
    std::fflush(stdout);
  }
}

void print_joins() {
  fmt::print(
      "| nodes | partitions | join at once | one ring everywhere | nothing moves | bytes sent per "
      "node |\n|---|---|---|---|---|---|\n");
  for (const ScaleShape& shape : {ScaleShape{10, 256, 10}, ScaleShape{100, 256, 10}}) {
    const JoinFigures figures = join_at_once(shape, 1, kSettleLimitUs);
    fmt::print("| {} | {} | {} | {:.2f} s | {:.2f} s | {:.0f} |\n", shape.nodes, shape.partitions,
               shape.joiners, figures.known_s, figures.settled_s, figures.bytes_per_node);
    std::fflush(stdout);
  }
}

void print_load() {
  const LoadPlan plan;
  const NetworkWeather weather = load_weather();
  fmt::print("{} nodes, {} partitions, N 3 R 2 W 2, {} keys, {} bytes, half of all writes\n",
             plan.shape.nodes, plan.shape.partitions, plan.keys, plan.value_bytes);
  fmt::print(
      "{:.0f} to {:.0f} requests/s in {} s; links {} to {} us, one frame of 1000 20 times "
      "as long; commits up to {} us\n\n",
      plan.peak_per_second / 8, plan.peak_per_second, plan.duration_us / 1'000'000,
      weather.delay_min_us, weather.delay_min_us + weather.delay_spread_us,
      load_disks().commit_delay_us);
  const LoadFigures figures = run_load(plan);
  fmt::print("| | least | mean | most | worst deviation |\n|---|---|---|---|---|\n");
  for (const auto& [name, spread] : {std::pair("copies of partitions per node", figures.copies),
                                     std::pair("requests per node", figures.served)}) {
    fmt::print("| {} | {:.0f} | {:.1f} | {:.0f} | {:.1f} % |\n", name, spread.least, spread.mean,
               spread.most, 100 * spread.deviation());
  }
  fmt::print(
      "\n| requests | failed | asked again | success | nodes that died | that stood still | "
      "p50 | p99 | p99.9 | longest |\n|---|---|---|---|---|---|---|---|---|---|\n");
  fmt::print(
      "| {} | {} | {} | {:.5f} % | {} | {} | {:.1f} ms | {:.1f} ms | {:.1f} ms | {:.0f} ms "
      "|\n",
      figures.requests, figures.failed, figures.asked_again, 100 * figures.success(),
      figures.deaths, figures.pauses, figures.p50_ms, figures.p99_ms, figures.p999_ms,
      figures.most_ms);
}

void print_memory() {
  constexpr size_t kJoiners = 10;
  fmt::print(
      "| members | partitions | owners alone | view | history | placement | more with {} "
      "joins under way |\n|---|---|---|---|---|---|---|\n",
      kJoiners);
  for (const uint32_t partitions : {256, 1024}) {
    for (const size_t members : {10, 100, 500, 1000}) {
      const ViewBytes bytes = view_bytes(members, partitions, kJoiners);
      fmt::print("| {} | {} | {} | {} | {} | {} | {} |\n", members, partitions, bytes.table,
                 bytes.view, bytes.history, bytes.placements, bytes.moving);
    }
  }
}

struct Part {
  const char* name;
  void (*print)();
};
constexpr Part kParts[] = {{"gossip", print_gossip},
                           {"joins", print_joins},
                           {"load", print_load},
                           {"memory", print_memory}};

}  // namespace

bool print_scale(const std::string& part) {
  bool any = false;
  for (const Part& one : kParts) {
    if (!part.empty() && part != one.name) continue;
    one.print();
    fmt::print("\n");
    any = true;
  }
  return any;
}

}  // namespace kvorum::sim
