// SPDX-License-Identifier: Apache-2.0
// kvorum-sim: simulated clusters under seeded faults (docs/DEVELOPING.md). A line for each seed
// that fails, with the command that runs it again, and a summary. Exit status 1 where any failed;
// with --planted where a planted bug was not caught.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "tests/sim/planted.h"
#include "tests/sim/run.h"
#include "tests/sim/scale/report.h"
#include "tests/sim/story.h"
#include "tests/sim/swarm.h"

namespace kvorum::sim {
namespace {

struct Options {
  uint64_t seeds = 200;
  uint64_t first_seed = 1;
  uint64_t jobs = 0;
  bool once = false;
  bool trace = false;
  bool planted = false;
  bool eviction = false;
  bool peaceful = false;
  bool moving = false;
  std::optional<std::string> scale;  // the part of the tables
  std::string plant, story;

  // What the seeds draw, as the option says it.
  const char* kind() const { return peaceful ? " --peaceful" : moving ? " --moving" : ""; }
  RunResult run(uint64_t seed, std::FILE* out = nullptr) const {
    if (peaceful) return run_peaceful_seed(seed, out);
    return moving ? run_moving_seed(seed, out) : run_seed(seed, out);
  }
};

struct Totals {
  std::atomic<uint64_t> next{0}, failed{0}, virtual_us{0}, operations{0}, evicted{0};
  std::mutex output;
};

void report(uint64_t seed, const RunResult& result, const Options& options) {
  fmt::print("seed {} failed ({})\n", seed, result.swarm);
  for (const std::string& violation : result.violations) fmt::print("  {}\n", violation);
  fmt::print("  again: ./x sim --seed {} --trace{}\n", seed, options.kind());
  std::fflush(stdout);
}

// Runs `work` on each thread until all have returned.
template <class Work>
void on_all_jobs(const Options& options, Work work) {
  const uint64_t jobs =
      options.jobs ? options.jobs : std::max(1u, std::thread::hardware_concurrency());
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < jobs; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
}

void run_seeds(const Options& options, Totals& totals) {
  for (;;) {
    const uint64_t number = totals.next.fetch_add(1);
    if (number >= options.seeds) return;
    const uint64_t seed = options.first_seed + number;
    const bool once = options.once || *options.kind() != '\0';
    const RunResult result = once ? options.run(seed) : run_seed_twice(seed);
    totals.virtual_us += result.virtual_us;
    totals.operations += result.operations;
    totals.evicted += result.evicted;
    if (result.violations.empty()) continue;
    ++totals.failed;
    const std::lock_guard lock(totals.output);
    report(seed, result, options);
  }
}

int run_many(const Options& options) {
  const auto began = std::chrono::steady_clock::now();
  Totals totals;
  on_all_jobs(options, [&] { run_seeds(options, totals); });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  const double hours = static_cast<double>(totals.virtual_us) / 3.6e9;
  fmt::print("{} operations, {:.2f} simulated hours in {:.1f} s: {:.1f} simulated hours a minute\n",
             totals.operations.load(), hours, took.count(), hours / took.count() * 60);
  if (totals.evicted > 0) fmt::print("{} objects evicted\n", totals.evicted.load());
  fmt::print("{} passed, {} failed\n", options.seeds - totals.failed, totals.failed.load());
  return totals.failed == 0 ? 0 : 1;
}

// The least seed that finds the planted bug, with what it found.
struct Catch {
  uint64_t seed = 0;  // 0: none did
  std::string violation;
};

Catch catch_planted(const Options& given, const PlantedBugRow& row) {
  Options options = given;
  options.peaceful = row.peaceful;
  options.moving = row.moving;
  Catch first;
  std::atomic<uint64_t> next{0}, stop_at{options.seeds};
  std::mutex lock;
  on_all_jobs(options, [&] {
    for (;;) {
      const uint64_t number = next.fetch_add(1);
      if (number >= stop_at) return;
      const uint64_t seed = options.first_seed + row.skipped + number;
      const RunResult result = options.run(seed);
      if (result.violations.empty()) continue;
      const std::lock_guard guard(lock);
      if (number >= stop_at) continue;
      stop_at = number;
      first = {seed, result.violations[0]};
    }
  });
  return first;
}

int run_planted(const Options& options) {
  size_t caught = 0, missed = 0;
  for (const PlantedBugRow& row : planted_bugs()) {
    if (!row.by_seeds) continue;
    const Planting planting(row.bug);
    const Catch found = catch_planted(options, row);
    ++(found.seed ? caught : missed);
    if (found.seed) {
      fmt::print("{} ({}): caught by seed {}: {}\n", row.name, row.what, found.seed,
                 found.violation);
    } else {
      fmt::print("{} ({}): NOT caught by {} seeds\n", row.name, row.what, options.seeds);
    }
    std::fflush(stdout);
  }
  fmt::print("{} passed, {} failed\n", caught, missed);
  return missed == 0 ? 0 : 1;
}

int run_one(const Options& options) {
  const bool once = options.trace || *options.kind() != '\0';
  const RunResult result = once ? options.run(options.first_seed, options.trace ? stdout : nullptr)
                                : run_seed_twice(options.first_seed);
  fmt::print("seed {}: {}\n", options.first_seed, result.swarm);
  fmt::print("trace {:016x}, {} operations, {:.1f} simulated seconds\n", result.trace_hash,
             result.operations, static_cast<double>(result.virtual_us) / 1e6);
  if (result.violations.empty()) return 0;
  report(options.first_seed, result, options);
  return 1;
}

int run_story(const Options& options) {
  std::ifstream in(options.story);
  std::stringstream text;
  text << in.rdbuf();
  const std::vector<std::string> troubles = play(text.str());
  for (const std::string& trouble : troubles) fmt::print("{}\n", trouble);
  fmt::print("{} passed, {} failed\n", troubles.empty() ? 1 : 0, troubles.empty() ? 0 : 1);
  return troubles.empty() ? 0 : 1;
}

int run(const Options& options, bool single) {
  if (options.scale) return print_scale(*options.scale) ? 0 : 1;
  if (options.eviction) only_caches();
  if (options.planted) return run_planted(options);
  plant(planted_bug_named(options.plant));
  if (!options.story.empty()) return run_story(options);
  return single ? run_one(options) : run_many(options);
}

}  // namespace
}  // namespace kvorum::sim

int main(int argc, char** argv) {
  kvorum::sim::Options options;
  uint64_t seed = 0;
  std::vector<std::string> names;
  for (const auto& row : kvorum::sim::planted_bugs()) names.emplace_back(row.name);
  CLI::App app("simulated clusters under seeded faults");
  app.add_option("--seeds", options.seeds, "how many seeds to run, each twice");
  app.add_option("--seed-start", options.first_seed, "the first of them");
  app.add_option("--jobs", options.jobs, "threads; by default one for each CPU");
  app.add_flag("--once", options.once, "run each seed once: traces are not compared");
  const CLI::Option* const single = app.add_option("--seed", seed, "this seed alone");
  app.add_flag("--trace", options.trace, "with --seed: every event, as text");
  app.add_flag("--eviction", options.eviction, "every cluster is a cache that evicts");
  app.add_flag("--peaceful", options.peaceful,
               "no cuts and deaths, only pauses and clean stops: no sibling may come of them");
  app.add_flag("--moving", options.moving, "members join, leave, are removed, weigh otherwise");
  app.add_option("--scale", options.scale, "tables of what grows with the nodes; or one of them")
      ->expected(0, 1)
      ->check(CLI::IsMember({"", "gossip", "joins", "load", "memory"}));
  app.add_option("--story", options.story, "a file of tests/sim/stories instead of seeds")
      ->check(CLI::ExistingFile);
  app.add_option("--plant", options.plant, "a bug for the seeds or the story to catch")
      ->check(CLI::IsMember(names));
  app.add_flag("--planted", options.planted, "each bug in turn, until a seed catches it");
  CLI11_PARSE(app, argc, argv);
  if (single->count() > 0) options.first_seed = seed;
  return kvorum::sim::run(options, single->count() > 0);
}
