// SPDX-License-Identifier: Apache-2.0
// kvorum-bench: connects, loads the key space if asked to, warms up, measures, reports.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "bench/connection.h"
#include "bench/load.h"
#include "bench/options.h"
#include "bench/process_usage.h"
#include "bench/report.h"

namespace kvorum::bench {
namespace {

constexpr uint32_t kFillDepth = 32;
constexpr size_t kFillBatchBytes = 64 * 1024;

class Run {
 public:
  explicit Run(const Options& options)
      : options_(options), codec_(make_codec(options.protocol, options.value_bytes)) {}

  Status connect() {
    connections_.reserve(options_.connections);
    for (size_t i = 0; i < options_.connections; ++i) {
      Result<Connection> opened =
          Connection::open(options_.addresses[i % options_.addresses.size()]);
      if (!opened.ok()) return opened.status();
      connections_.push_back(std::move(opened).value());
    }
    return {};
  }

  Status phases() {
    if (options_.fill) {
      if (Status status = fill(); !status.ok()) return status;
    }
    if (!options_.measure) return {};
    KeyChooser keys(options_.key_space);
    if (options_.warmup_seconds > 0) {
      LoadPlan plan = options_.plan;
      plan.operations_max = UINT64_MAX;
      plan.duration_ns = static_cast<uint64_t>(options_.warmup_seconds * 1e9);
      const Result<LoadResult> warm = Load(plan, *codec_, keys, connections_).run();
      if (!warm.ok()) return warm.status();
    }
    return phase("load", options_.plan, keys);
  }

  const std::vector<PhaseReport>& reports() const { return reports_; }

 private:
  Status fill() {
    LoadPlan plan;
    plan.mix = Mix{.get = 0, .set = 1, .increment = 0};
    plan.operations_max = options_.key_space.keys;
    plan.patience_ns = options_.plan.patience_ns;
    plan.depth = static_cast<uint32_t>(
        std::clamp<size_t>(kFillBatchBytes / options_.value_bytes, 1, kFillDepth));
    KeyChooser keys({.keys = options_.key_space.keys, .distribution = Distribution::kSequential});
    if (Status status = phase("fill", plan, keys); !status.ok()) return status;
    if (options_.plan.mix.increment == 0) return {};
    plan.reset_counters = true;
    return phase("reset", plan, keys);
  }

  Result<std::optional<ProcessUsage>> usage() const {
    if (options_.server_pids.empty()) return std::optional<ProcessUsage>();
    const Result<ProcessUsage> sum = usage_of(options_.server_pids);
    if (!sum.ok()) return sum.status();
    return std::optional(sum.value());
  }

  Status phase(const char* name, const LoadPlan& plan, KeyChooser& keys) {
    const auto before = usage();
    if (!before.ok()) return before.status();
    const uint64_t client_before = own_cpu_ns();
    Result<LoadResult> load = Load(plan, *codec_, keys, connections_).run();
    if (!load.ok()) return load.status();
    const uint64_t client_ns = own_cpu_ns() - client_before;
    const auto after = usage();
    if (!after.ok()) return after.status();
    reports_.push_back(PhaseReport{.name = name,
                                   .load = std::move(load).value(),
                                   .client_cpu_ns = client_ns,
                                   .before = before.value(),
                                   .after = after.value()});
    return {};
  }

  const Options& options_;
  std::unique_ptr<Codec> codec_;
  std::vector<Connection> connections_;
  std::vector<PhaseReport> reports_;
};

int run(const Options& options) {
  Run bench(options);
  Status status = bench.connect();
  if (status.ok()) status = bench.phases();
  if (!status.ok()) {
    fmt::print(stderr, "kvorum-bench: {}\n", status.message());
    return 1;
  }
  fmt::print("{}", options.json ? to_json(bench.reports()) : to_table(bench.reports()));
  return 0;
}

}  // namespace
}  // namespace kvorum::bench

int main(int count, char** arguments) {
  const kvorum::bench::ParsedOptions parsed = kvorum::bench::parse_options(count, arguments);
  return parsed.options ? kvorum::bench::run(*parsed.options) : parsed.exit_status;
}
