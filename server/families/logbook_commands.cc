// SPDX-License-Identifier: Apache-2.0
// SLOWLOG and LATENCY: commands that held a reactor of this node for long (server/logbook).
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "server/commands/command_table.h"
#include "server/commands/help.h"
#include "server/commands/words.h"
#include "server/logbook/logbook.h"

namespace kvorum::server {
namespace {

using protocol::Reply;
using Samples = std::vector<LatencySample>;

Reply number(uint64_t value) { return Reply::integer(static_cast<int64_t>(value)); }

// ---- SLOWLOG

Reply slow_command(const SlowCommand& command) {
  std::vector<Reply> words;
  for (const std::string& word : command.words) words.push_back(Reply::bulk_owned(word));
  std::vector<Reply> fields;
  fields.push_back(number(command.id));
  fields.push_back(number(command.at_s));
  fields.push_back(number(command.took_us));
  fields.push_back(Reply::array(std::move(words)));
  fields.push_back(Reply::bulk_owned(command.peer_address));
  fields.push_back(Reply::bulk_owned(command.client_name));
  return Reply::array(std::move(fields));
}

void slowlog_get(const CommandCall& call, Plan& plan) {
  constexpr int64_t kShownUsually = 10;
  if (call.words.size() > 3) {
    return plan.fail_owned(protocol::bad_subcommand(call.words[1], upper_case(call.words[0])));
  }
  const auto count =
      call.words.size() == 3 ? protocol::parse_int64(call.words[2]) : std::optional(kShownUsually);
  if (!count || *count < -1) return plan.fail("ERR count should be greater than or equal to -1");
  const size_t shown = *count == -1 ? SIZE_MAX : static_cast<size_t>(*count);
  std::vector<Reply> items;
  for (const SlowCommand& command : call.facts.logbook().slow_log.newest(shown)) {
    items.push_back(slow_command(command));
  }
  plan.answer(Reply::array(std::move(items)));
}

void slowlog_len(const CommandCall& call, Plan& plan) {
  plan.answer(number(call.facts.logbook().slow_log.length()));
}

void slowlog_reset(const CommandCall& call, Plan& plan) {
  call.facts.logbook().slow_log.reset();
  plan.answer(Reply::ok());
}

// ---- LATENCY

constexpr LatencyEvent kEvents[] = {LatencyEvent::kCommand, LatencyEvent::kFastCommand};

std::string_view name_of(LatencyEvent event) {
  return kLatencyEventNames[static_cast<size_t>(event)];
}

std::optional<LatencyEvent> find_event(std::string_view name) {
  for (const LatencyEvent event : kEvents) {
    if (equals_ignoring_case(name, name_of(event))) return event;
  }
  return std::nullopt;
}

void latency_latest(const CommandCall& call, Plan& plan) {
  const LatencyLog& log = call.facts.logbook().latency;
  std::vector<Reply> items;
  for (const LatencyEvent event : kEvents) {
    const Samples samples = log.samples(event);
    if (samples.empty()) continue;
    std::vector<Reply> fields;
    fields.push_back(Reply::bulk(name_of(event)));
    fields.push_back(number(samples.back().at_s));
    fields.push_back(number(samples.back().took_ms));
    fields.push_back(number(log.longest_ms(event)));
    items.push_back(Reply::array(std::move(fields)));
  }
  plan.answer(Reply::array(std::move(items)));
}

void latency_history(const CommandCall& call, Plan& plan) {
  std::vector<Reply> items;
  if (const auto event = find_event(call.words[2])) {
    for (const LatencySample& sample : call.facts.logbook().latency.samples(*event)) {
      std::vector<Reply> fields;
      fields.push_back(number(sample.at_s));
      fields.push_back(number(sample.took_ms));
      items.push_back(Reply::array(std::move(fields)));
    }
  }
  plan.answer(Reply::array(std::move(items)));
}

void latency_reset(const CommandCall& call, Plan& plan) {
  const Words names = call.words.subspan(2);
  uint64_t dropped = 0;
  for (const LatencyEvent event : kEvents) {
    const bool named = names.empty() || std::any_of(names.begin(), names.end(), [&](auto name) {
                         return equals_ignoring_case(name, name_of(event));
                       });
    if (named && call.facts.logbook().latency.reset(event)) ++dropped;
  }
  plan.answer(number(dropped));
}

std::string time_ago(uint64_t seconds) {
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m", seconds / 60);
  if (seconds < 86400) return fmt::format("{}h", seconds / 3600);
  return fmt::format("{}d", seconds / 86400);
}

// A column for each sample: a bar, and below it how long ago that was, to be read downwards.
std::string bars(const Samples& samples, uint64_t highest, uint64_t now_s) {
  constexpr uint64_t kRows = 5;
  std::string text;
  for (uint64_t row = kRows; row > 0; --row) {
    for (const LatencySample& sample : samples) {
      const uint64_t height = std::max<uint64_t>(1, sample.took_ms * kRows / highest);
      text += height > row ? '|' : height == row ? '#' : ' ';
    }
    text += '\n';
  }
  std::vector<std::string> labels;
  size_t longest = 0;
  for (const LatencySample& sample : samples) {
    labels.push_back(time_ago(now_s > sample.at_s ? now_s - sample.at_s : 0));
    longest = std::max(longest, labels.back().size());
  }
  for (size_t at = 0; at < longest; ++at) {
    for (const std::string& label : labels) text += at < label.size() ? label[at] : ' ';
    text += '\n';
  }
  return text;
}

void latency_graph(const CommandCall& call, Plan& plan) {
  constexpr size_t kColumns = 80;
  const LatencyLog& log = call.facts.logbook().latency;
  const auto event = find_event(call.words[2]);
  Samples samples = event ? log.samples(*event) : Samples();
  if (samples.empty()) {
    return plan.fail_owned(fmt::format("ERR No samples available for event '{}'",
                                       call.words[2].substr(0, protocol::kQuotedBytesMax)));
  }
  if (samples.size() > kColumns) samples.erase(samples.begin(), samples.end() - kColumns);
  const auto [low, high] =
      std::minmax_element(samples.begin(), samples.end(),
                          [](const auto& a, const auto& b) { return a.took_ms < b.took_ms; });
  plan.answer(Reply::verbatim_owned(
      fmt::format("{} - high {} ms, low {} ms (all time high {} ms)\n{:-<80}\n{}", name_of(*event),
                  high->took_ms, low->took_ms, log.longest_ms(*event), "",
                  bars(samples, high->took_ms, call.facts.wall_us() / 1'000'000))));
}

void latency_doctor(const CommandCall& call, Plan& plan) {
  const LatencyLog& log = call.facts.logbook().latency;
  std::string text;
  if (log.threshold_ms() == 0) {
    text =
        "Nothing is sampled: CONFIG SET latency-monitor-threshold <milliseconds> lets this node "
        "keep the commands that take longer.\n";
  }
  for (const LatencyEvent event : kEvents) {
    const Samples samples = log.samples(event);
    if (samples.empty()) continue;
    uint64_t sum = 0;
    for (const LatencySample& sample : samples) sum += sample.took_ms;
    text +=
        fmt::format("{}: {} seconds with spikes, {} ms on average, {} ms at most.\n",
                    name_of(event), samples.size(), sum / samples.size(), log.longest_ms(event));
  }
  if (text.empty()) text = "No command took longer than the threshold.\n";
  text +=
      "SLOWLOG GET shows the commands, INFO commandstats what all of them take, /metrics has "
      "histograms of reads and writes, and `kvorum status` names what is wrong.\n";
  plan.answer(Reply::verbatim_owned(std::move(text)));
}

// ---- LATENCY HISTOGRAM

// Of the commands with these names, their subcommands too; of all for no names.
std::vector<const CommandRow*> rows_named(Words names) {
  std::vector<const CommandRow*> rows;
  for (const CommandRow* const row : all_commands()) {
    const std::string_view container = row->name.substr(0, row->name.find('|'));
    const bool named =
        names.empty() || std::any_of(names.begin(), names.end(), [&](auto name) {
          return equals_ignoring_case(name, row->name) || equals_ignoring_case(name, container);
        });
    if (named && !(row->flags & kContainer)) rows.push_back(row);
  }
  return rows;
}

// Cumulative, by powers of two; those of calls that were not timed are taken to be like the others.
Reply histogram(const CallTimes& times) {
  uint64_t timed = 0, passed = 0;
  for (const uint64_t bucket : times.times) timed += bucket;
  std::vector<Reply> buckets;
  for (size_t at = 0; at < kTimeBuckets; ++at) {
    if (times.times[at] == 0) continue;
    passed += times.times[at];
    const double share = static_cast<double>(passed) / static_cast<double>(timed);
    buckets.push_back(number(uint64_t{1} << at));
    buckets.push_back(
        number(static_cast<uint64_t>(share * static_cast<double>(times.calls) + 0.5)));
  }
  std::vector<Reply> fields;
  add_field(fields, "calls", number(times.calls));
  add_field(fields, "histogram_usec", Reply::map(std::move(buckets)));
  return Reply::map(std::move(fields));
}

void latency_histogram(const CommandCall& call, Plan& plan) {
  const std::vector<CallTimes> times = call.facts.call_times();
  std::vector<Reply> fields;
  for (const CommandRow* const row : rows_named(call.words.subspan(2))) {
    if (row->number >= times.size() || times[row->number].calls == 0) continue;
    add_field(fields, row->name, histogram(times[row->number]));
  }
  plan.answer(Reply::map(std::move(fields)));
}

constexpr uint32_t kAsk = kAdmin | kLoading | kStale;
constexpr uint32_t kLook = kAsk | kNoScript;
constexpr Group kGroup = Group::kServer;

constexpr RowHints kAsksNodes{
    .tips = "nondeterministic_output request_policy:all_nodes response_policy:special"};
constexpr RowHints kSumOfNodes{.tips = "request_policy:all_nodes response_policy:agg_sum"};
constexpr RowHints kGathers{.tips = "request_policy:all_nodes nondeterministic_output"};
constexpr RowHints kUncertainSum{
    .tips = "request_policy:all_nodes response_policy:agg_sum nondeterministic_output"};

constexpr CommandRow kRows[] = {
    {"latency", -2, kContainer, 0, 0, 0, kGroup, "2.8.13", "subcommand",
     "Commands that took longer than latency-monitor-threshold at this node.", "O(1)", nullptr},
    {"latency|doctor", 2, kLook, 0, 0, 0, kGroup, "2.8.13", "",
     "What was sampled, and where else to look.", "O(1)", latency_doctor, &kAsksNodes},
    {"latency|graph", 3, kLook, 0, 0, 0, kGroup, "2.8.13", "event", "The samples as a graph.",
     "O(1)", latency_graph, &kAsksNodes},
    {"latency|help", 2, kLoading | kStale, 0, 0, 0, kGroup, "2.8.13", "", "Lists the subcommands.",
     "O(1)", subcommand_help},
    {"latency|histogram", -2, kLook, 0, 0, 0, kGroup, "7.0.0", "[command [command ...]]",
     "How long calls of commands take, as far as they were timed: the first of each command, all "
     "of those that may take long, a sample of the others.",
     "O(N) for N commands", latency_histogram, &kAsksNodes},
    {"latency|history", 3, kLook, 0, 0, 0, kGroup, "2.8.13", "event",
     "Of the events command and fast-command: the worst of each second that had one.", "O(1)",
     latency_history, &kAsksNodes},
    {"latency|latest", 2, kLook, 0, 0, 0, kGroup, "2.8.13", "", "The last sample of each event.",
     "O(1)", latency_latest, &kAsksNodes},
    {"latency|reset", -2, kLook, 0, 0, 0, kGroup, "2.8.13", "[event [event ...]]",
     "Drops the samples of events, and says of how many.", "O(1)", latency_reset, &kSumOfNodes},
    {"slowlog", -2, kContainer, 0, 0, 0, kGroup, "2.2.12", "subcommand",
     "Commands that held a reactor of this node for long; waiting for other nodes or a disk does "
     "not count.",
     "O(1)", nullptr},
    {"slowlog|get", -2, kAsk, 0, 0, 0, kGroup, "2.2.12", "[count]",
     "The newest of them. Commands of constant time are measured each time only where "
     "slowlog-log-slower-than is below 1000.",
     "O(N) for N commands", slowlog_get, &kGathers},
    {"slowlog|help", 2, kLoading | kStale, 0, 0, 0, kGroup, "6.2.0", "", "Lists the subcommands.",
     "O(1)", subcommand_help},
    {"slowlog|len", 2, kAsk, 0, 0, 0, kGroup, "2.2.12", "", "How many there are.", "O(1)",
     slowlog_len, &kUncertainSum},
    {"slowlog|reset", 2, kAsk, 0, 0, 0, kGroup, "2.2.12", "", "Forgets them.", "O(N)",
     slowlog_reset, &hint::kTellsNodes},
};

}  // namespace

std::span<const CommandRow> logbook_commands() { return kRows; }

}  // namespace kvorum::server
