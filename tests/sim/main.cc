// SPDX-License-Identifier: Apache-2.0
// kvorum-sim: simulated clusters under seeded faults (docs/DEVELOPING.md). A line for each seed
// that fails, with the command that runs it again, and a summary. Exit status 1 where any failed.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "tests/sim/run.h"
#include "tests/sim/scenarios.h"

namespace kvorum::sim {
namespace {

struct Options {
  uint64_t seeds = 200;
  uint64_t first_seed = 1;
  uint64_t jobs = 0;
  bool trace = false;
  bool scenarios = false;
  bool keeps_incarnation = false;
};

struct Totals {
  std::atomic<uint64_t> next{0}, failed{0}, virtual_us{0}, operations{0};
  std::mutex output;
};

void report(uint64_t seed, const RunResult& result) {
  fmt::print("seed {} failed ({})\n", seed, result.swarm);
  for (const std::string& violation : result.violations) fmt::print("  {}\n", violation);
  fmt::print("  again: ./x sim --seed {} --trace\n", seed);
  std::fflush(stdout);
}

void work(const Options& options, Totals& totals) {
  for (;;) {
    const uint64_t number = totals.next.fetch_add(1);
    if (number >= options.seeds) return;
    const uint64_t seed = options.first_seed + number;
    const RunResult result = run_seed_twice(seed);
    totals.virtual_us += result.virtual_us;
    totals.operations += result.operations;
    if (result.violations.empty()) continue;
    ++totals.failed;
    const std::lock_guard lock(totals.output);
    report(seed, result);
  }
}

int run_many(const Options& options) {
  const auto began = std::chrono::steady_clock::now();
  Totals totals;
  std::vector<std::thread> threads;
  const uint64_t jobs =
      options.jobs ? options.jobs : std::max(1u, std::thread::hardware_concurrency());
  for (uint64_t i = 0; i < jobs; ++i) {
    threads.emplace_back([&] { work(options, totals); });
  }
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  const double hours = static_cast<double>(totals.virtual_us) / 3.6e9;
  fmt::print(
      "{} passed, {} failed; {} operations, {:.2f} simulated hours in {:.1f} s "
      "({:.1f} simulated hours per minute)\n",
      options.seeds - totals.failed, totals.failed.load(), totals.operations.load(), hours,
      took.count(), hours / took.count() * 60);
  return totals.failed == 0 ? 0 : 1;
}

int run_one(const Options& options) {
  const RunResult result =
      options.trace ? run_seed(options.first_seed, stdout) : run_seed_twice(options.first_seed);
  fmt::print("seed {}: {}\n", options.first_seed, result.swarm);
  fmt::print("trace {:016x}, {} operations, {:.1f} simulated seconds\n", result.trace_hash,
             result.operations, static_cast<double>(result.virtual_us) / 1e6);
  if (result.violations.empty()) return 0;
  report(options.first_seed, result);
  return 1;
}

int run_scenarios(const Options& options) {
  size_t failed = 0;
  const Planted planted =
      options.keeps_incarnation ? Planted::kKeepsIncarnation : Planted::kNothing;
  for (const Scenario& scenario : scenarios()) {
    const Troubles troubles = scenario.run(planted);
    failed += !troubles.empty();
    fmt::print("{}: {}\n", scenario.name, troubles.empty() ? "well" : "FAILED");
    for (const std::string& trouble : troubles) fmt::print("  {}\n", trouble);
  }
  fmt::print("{} passed, {} failed\n", scenarios().size() - failed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace kvorum::sim

int main(int argc, char** argv) {
  kvorum::sim::Options options;
  uint64_t seed = 0;
  CLI::App app("simulated clusters under seeded faults");
  app.add_option("--seeds", options.seeds, "how many seeds to run, each twice");
  app.add_option("--seed-start", options.first_seed, "the first of them");
  app.add_option("--jobs", options.jobs, "threads; by default one for each CPU");
  const CLI::Option* const single = app.add_option("--seed", seed, "this seed alone");
  app.add_flag("--trace", options.trace, "with --seed: every event, as text");
  app.add_flag("--scenarios", options.scenarios, "the named scenarios instead of seeds");
  app.add_flag("--keep-incarnation", options.keeps_incarnation,
               "with --scenarios: a planted bug, nodes restart as who they were");
  CLI11_PARSE(app, argc, argv);
  if (options.scenarios) return kvorum::sim::run_scenarios(options);
  if (single->count() == 0) return kvorum::sim::run_many(options);
  options.first_seed = seed;
  return kvorum::sim::run_one(options);
}
