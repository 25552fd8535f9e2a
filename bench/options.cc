// SPDX-License-Identifier: Apache-2.0
#include "bench/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <string_view>

#include "bench/payload.h"

namespace kvorum::bench {
namespace {

constexpr uint64_t kZipfKeysMax = 100'000'000;  // its table takes 8 bytes a key
constexpr double kSecondsMax = 1e6;
constexpr uint32_t kDepthMax = 100'000;
constexpr uint32_t kValueBytesMax = 512u << 20;
constexpr double kNsPerSecond = 1e9;

constexpr const char* kDescription =
    "kvorum-bench: load generator for servers that speak the Redis or memcached protocol.\n"
    "One thread; verifies every reply; prints throughput, latency percentiles and, with\n"
    "--server-pids, what the servers spent per operation.";
constexpr const char* kFooter =
    "Keys are key:000000000000 ... (16 bytes); a value is a function of its key and is compared\n"
    "byte for byte. Exit status: 0 done, 1 a connection failed or fell silent, 2 bad options.\n\n"
    "  kvorum-bench 127.0.0.1:6379 --fill --mix get=90,set=10 --depth 16 --seconds 5\n"
    "  kvorum-bench 127.0.0.1:11211 --protocol memcached --fill --rate 20000\n"
    "  kvorum-bench h1:6379 h2:6379 h3:6379 --mix set --server-pids 101,102,103 --json";

struct RawOptions {
  std::string mix = "get";
  double seconds = 5;
  bool fill_only = false;
  double patience_seconds = 10;
};

double* share_of(Mix& mix, std::string_view name) {
  if (name == "get") return &mix.get;
  if (name == "set") return &mix.set;
  return name == "incr" ? &mix.increment : nullptr;
}

void add_target_options(CLI::App& app, Options& options) {
  static const std::map<std::string, Protocol> kProtocols{{"resp", Protocol::kResp},
                                                          {"memcached", Protocol::kMemcached}};
  app.add_option("addresses", options.addresses, "HOST:PORT ...; connections are spread in turn")
      ->required();
  app.add_option("--protocol", options.protocol, "resp (default) or memcached")
      ->transform(CLI::CheckedTransformer(kProtocols).description(""))
      ->type_name("NAME");
  app.add_option("--connections,-c", options.connections, "connections (50)")
      ->check(CLI::Range(1u, 60'000u));
  app.add_option("--server-pids", options.server_pids,
                 "processes whose CPU time and memory are charged, comma-separated")
      ->delimiter(',');
}

void add_data_options(CLI::App& app, Options& options, RawOptions& raw) {
  static const std::map<std::string, Distribution> kDistributions{
      {"uniform", Distribution::kUniform},
      {"zipf", Distribution::kZipf},
      {"sequential", Distribution::kSequential}};
  KeySpace& space = options.key_space;
  app.add_option("--keys,-k", space.keys, "keys in the key space (1000000)")
      ->check(CLI::Range(uint64_t{1}, kKeysMax));
  app.add_option("--value-bytes,-v", options.value_bytes, "bytes of a value (100)")
      ->check(CLI::Range(1u, kValueBytesMax));
  app.add_option("--distribution", space.distribution, "uniform (default), zipf or sequential")
      ->transform(CLI::CheckedTransformer(kDistributions).description(""))
      ->type_name("NAME");
  app.add_option("--zipf-exponent", space.zipf_exponent, "skew of zipf (0.99)")
      ->check(CLI::Range(0.01, 5.0));
  app.add_option("--seed", space.seed, "seed of keys and mix (1)");
  app.add_flag("--fill", options.fill, "first load every key, and counters if the mix has incr");
  app.add_flag("--fill-only", raw.fill_only, "load every key and stop");
}

void add_load_options(CLI::App& app, Options& options, RawOptions& raw) {
  LoadPlan& plan = options.plan;
  app.add_option("--mix,-m", raw.mix, "get (default), set, incr, or shares: get=90,set=10");
  app.add_option("--depth,-p", plan.depth, "requests sent at once per connection (1)")
      ->check(CLI::Range(1u, kDepthMax));
  CLI::Option* seconds = app.add_option("--seconds,-s", raw.seconds, "length of the phase (5)")
                             ->check(CLI::Range(0.001, kSecondsMax));
  app.add_option("--operations,-n", plan.operations_max, "stop after so many operations instead")
      ->check(CLI::PositiveNumber)
      ->excludes(seconds);
  app.add_option("--warmup", options.warmup_seconds, "seconds of the same load before (0)")
      ->check(CLI::Range(0.0, kSecondsMax));
  app.add_option("--rate,-r", plan.rate,
                 "open loop: operations per second, latency from the intended time")
      ->check(CLI::Range(0.001, 1e9));
  app.add_option("--patience", raw.patience_seconds, "give up after so many silent seconds (10)")
      ->check(CLI::Range(0.001, kSecondsMax));
  app.add_flag("--json", options.json, "print JSON instead of a table");
}

Status finish(Options& options, const RawOptions& raw) {
  const Result<Mix> mix = parse_mix(raw.mix);
  if (!mix.ok()) return mix.status();
  LoadPlan& plan = options.plan;
  plan.mix = mix.value();
  plan.seed = options.key_space.seed;
  plan.patience_ns = static_cast<uint64_t>(raw.patience_seconds * kNsPerSecond);
  if (plan.operations_max == UINT64_MAX)
    plan.duration_ns = static_cast<uint64_t>(raw.seconds * kNsPerSecond);
  options.fill = options.fill || raw.fill_only;
  options.measure = !raw.fill_only;
  if (plan.rate > 0 && plan.depth != 1)
    return Status(Code::kInvalid, "--depth has no meaning with --rate: the schedule decides");
  if (options.key_space.distribution == Distribution::kZipf &&
      options.key_space.keys > kZipfKeysMax)
    return Status(Code::kInvalid, fmt::format("zipf takes at most {} keys", kZipfKeysMax));
  return {};
}

}  // namespace

Result<Mix> parse_mix(const std::string& text) {
  Mix mix{.get = 0, .set = 0, .increment = 0};
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    const size_t equals = part.find('=');
    double* share = share_of(mix, part.substr(0, equals));
    double weight = 1;
    bool valid = share != nullptr;
    if (valid && equals != std::string_view::npos) {
      const std::string_view number = part.substr(equals + 1);
      const char* end = number.data() + number.size();
      const auto [stop, error] = std::from_chars(number.data(), end, weight);
      valid = error == std::errc() && stop == end && weight >= 0 && std::isfinite(weight);
    }
    if (!valid)
      return Status(Code::kInvalid,
                    fmt::format("--mix: '{}' is not get, set or incr, nor NAME=SHARE", part));
    *share += weight;
  }
  const double sum = mix.get + mix.set + mix.increment;
  if (!(sum > 0)) return Status(Code::kInvalid, "--mix: the shares add up to nothing");
  return Mix{.get = mix.get / sum, .set = mix.set / sum, .increment = mix.increment / sum};
}

ParsedOptions parse_options(int count, const char* const* arguments) {
  Options options;
  RawOptions raw;
  CLI::App app(kDescription, "kvorum-bench");
  app.footer(kFooter);
  add_target_options(app, options);
  add_data_options(app, options, raw);
  add_load_options(app, options, raw);
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return {std::nullopt, app.exit(error) == 0 ? 0 : 2};
  }
  if (const Status status = finish(options, raw); !status.ok()) {
    fmt::print(stderr, "kvorum-bench: {}\n", status.message());
    return {std::nullopt, 2};
  }
  return {std::move(options), 0};
}

}  // namespace kvorum::bench
