// SPDX-License-Identifier: Apache-2.0
#include "bench/report.h"

#include <fmt/format.h>

#include <iterator>

namespace kvorum::bench {
namespace {

double per_operation_us(uint64_t total_ns, const LoadResult& load) {
  const uint64_t operations = load.tally.replies();
  return operations == 0 ? 0
                         : static_cast<double>(total_ns) / 1e3 / static_cast<double>(operations);
}

double throughput(const LoadResult& load) {
  if (load.elapsed_ns == 0) return 0;
  return static_cast<double>(load.tally.replies()) * 1e9 / static_cast<double>(load.elapsed_ns);
}

double to_us(uint64_t ns) { return static_cast<double>(ns) / 1e3; }
double to_mib(uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

void append_servers(std::string& out, const PhaseReport& phase) {
  if (!phase.before || !phase.after) return;
  fmt::format_to(std::back_inserter(out),
                 ",\"server_cpu_us_per_operation\":{:.4f},\"server_resident_bytes_before\":{},"
                 "\"server_resident_bytes_after\":{}",
                 per_operation_us(phase.after->cpu_ns - phase.before->cpu_ns, phase.load),
                 phase.before->resident_bytes, phase.after->resident_bytes);
}

void append_latency(std::string& out, const Histogram& latency) {
  fmt::format_to(std::back_inserter(out),
                 ",\"latency_us\":{{\"min\":{:.3f},\"mean\":{:.3f},\"p50\":{:.3f},\"p90\":{:.3f},"
                 "\"p99\":{:.3f},\"p99.9\":{:.3f},\"max\":{:.3f}}}",
                 to_us(latency.min()), latency.mean() / 1e3, to_us(latency.percentile(0.5)),
                 to_us(latency.percentile(0.9)), to_us(latency.percentile(0.99)),
                 to_us(latency.percentile(0.999)), to_us(latency.max()));
}

void append_phase(std::string& out, const PhaseReport& phase) {
  const LoadResult& load = phase.load;
  fmt::format_to(std::back_inserter(out),
                 "{{\"name\":{},\"operations\":{},\"good\":{},\"misses\":{},\"wrong\":{},"
                 "\"errors\":{},\"first_error\":{},\"seconds\":{:.6f},\"throughput\":{:.1f},"
                 "\"client_cpu_us_per_operation\":{:.4f}",
                 quote_json(phase.name), load.tally.replies(), load.tally.good, load.tally.misses,
                 load.tally.wrong, load.tally.errors, quote_json(load.tally.first_error),
                 static_cast<double>(load.elapsed_ns) / 1e9, throughput(load),
                 per_operation_us(phase.client_cpu_ns, load));
  append_servers(out, phase);
  append_latency(out, load.latency_ns);
  out += '}';
}

void append_row(std::string& out, const PhaseReport& phase) {
  const LoadResult& load = phase.load;
  const Histogram& latency = load.latency_ns;
  fmt::format_to(std::back_inserter(out),
                 "{:<6}{:>12}{:>12.0f}{:>10.1f}{:>10.1f}{:>10.1f}{:>10.1f}{:>10.3f}", phase.name,
                 load.tally.replies(), throughput(load), to_us(latency.percentile(0.5)),
                 to_us(latency.percentile(0.99)), to_us(latency.percentile(0.999)),
                 to_us(latency.max()), per_operation_us(phase.client_cpu_ns, load));
  if (phase.before && phase.after)
    fmt::format_to(std::back_inserter(out), "{:>10.3f}{:>10.1f}",
                   per_operation_us(phase.after->cpu_ns - phase.before->cpu_ns, phase.load),
                   to_mib(phase.after->resident_bytes));
  out += '\n';
}

void append_complaints(std::string& out, const PhaseReport& phase) {
  const Tally& tally = phase.load.tally;
  if (tally.good == tally.replies()) return;
  fmt::format_to(std::back_inserter(out), "{}: {} errors, {} misses, {} wrong replies{}{}\n",
                 phase.name, tally.errors, tally.misses, tally.wrong,
                 tally.errors > 0 ? "; first error: " : "",
                 tally.errors > 0 ? quote_json(tally.first_error) : "");
}

}  // namespace

std::string quote_json(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string to_table(const std::vector<PhaseReport>& phases) {
  std::string out = fmt::format("{:<6}{:>12}{:>12}{:>10}{:>10}{:>10}{:>10}{:>10}", "", "operations",
                                "ops/s", "p50 us", "p99 us", "p99.9 us", "max us", "client us");
  if (!phases.empty() && phases.front().before)
    out += fmt::format("{:>10}{:>10}", "server us", "RSS MiB");
  out += '\n';
  for (const PhaseReport& phase : phases) append_row(out, phase);
  for (const PhaseReport& phase : phases) append_complaints(out, phase);
  return out;
}

std::string to_json(const std::vector<PhaseReport>& phases) {
  std::string out = "{\"phases\":[";
  for (const PhaseReport& phase : phases) {
    if (&phase != &phases.front()) out += ',';
    append_phase(out, phase);
  }
  return out + "]}\n";
}

}  // namespace kvorum::bench
