// SPDX-License-Identifier: Apache-2.0
#include "server/status/node_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace kvorum::server {
namespace {

const char* member_state(const MemberStatus& member) {
  return member.self ? "self" : cluster::peer_state_name(member.state);
}

std::string milliseconds(uint64_t us) {
  return fmt::format("{:.{}f} ms", static_cast<double>(us) / 1000, us < 10'000 ? 1 : 0);
}

bool is_reachable(const MemberStatus& member) {
  return member.self || member.state <= cluster::PeerState::kSlow;
}

}  // namespace

void LatencyStatus::add(const LatencyHistogram& histogram, uint64_t now_us) {
  histogram.add_recent(now_us, &recent);
  histogram.add_ever(&ever);
  sum_us += histogram.sum_us();
}

const char* NodeStatus::state() const {
  if (!differing_configurations.empty()) return "degraded";
  const bool leaving = std::any_of(members.begin(), members.end(), [](const MemberStatus& member) {
    return member.standing == cluster::Standing::kLeaving;
  });
  if (transfers_active > 0 || copies_follow || leaving) return "moving";
  // One more node that stops may leave too few copies that count toward R.
  if (copies_not_whole > 0) return "degraded";
  const bool all_linked =
      std::all_of(members.begin(), members.end(), [](const MemberStatus& member) {
        return is_reachable(member) && (member.self || !member.seen.one_way);
      });
  return all_linked && !waiting && hints_pending == 0 ? "settled" : "degraded";
}

NodeStatus since_reset(NodeStatus status) {
  if (!status.at_reset) return status;
  const NodeStatus& then = *status.at_reset;
  constexpr uint64_t NodeStatus::*kCounts[] = {
      &NodeStatus::connections_received, &NodeStatus::connections_rejected,
      &NodeStatus::commands_processed,   &NodeStatus::net_input_bytes,
      &NodeStatus::net_output_bytes,     &NodeStatus::keyspace_hits,
      &NodeStatus::keyspace_misses,      &NodeStatus::expired_keys,
  };
  for (const auto count : kCounts) status.*count -= then.*count;
  status.counters.evicted_keys -= then.counters.evicted_keys;
  if (!status.traffic || !then.traffic) return status;
  auto traffic = std::make_shared<TrafficTotals>(*status.traffic);
  traffic->subtract(*then.traffic);
  status.traffic = std::move(traffic);
  return status;
}

std::string member_reason(const MemberStatus& member) {
  if (member.self) return {};
  if (member.state == cluster::PeerState::kUp) {
    return member.seen.one_way ? "it has not said that it has links to this node" : "";
  }
  const cluster::PeerReport& seen = member.seen;
  const std::string since = seen.since_us == 0 ? std::string("since the start")
                                               : fmt::format("for {:.0f} s", member.state_seconds);
  switch (member.state) {
    case cluster::PeerState::kDown:
      if (seen.stopping) return "it is stopping";
      return "no link " + since + (member.link_trouble.empty() ? "" : ": " + member.link_trouble);
    case cluster::PeerState::kSuspected:
      return fmt::format("suspected {}: {} timeouts in a row", since, seen.unanswered);
    case cluster::PeerState::kSlow: {
      std::string text =
          fmt::format("slow {}: it answers in {}", since, milliseconds(seen.read_us));
      if (seen.usual_us != 0 && seen.usual_us < seen.read_us) {
        text += fmt::format("; {} times the median", seen.read_us / seen.usual_us);
      }
      return text;
    }
    case cluster::PeerState::kUp:
      break;
  }
  return {};
}

std::string clock_text(const cluster::ClockReport& clock) {
  return fmt::format("its clock is {:.1f} s {} this node's (give or take {:.0f} ms)",
                     std::abs(static_cast<double>(clock.offset_us)) / 1e6,
                     clock.offset_us < 0 ? "behind" : "ahead of",
                     static_cast<double>(clock.error_us) / 1e3);
}

std::string clock_problem(const MemberStatus& member) {
  return member.clock && member.clock->is_off ? clock_text(*member.clock) : std::string();
}

uint64_t largest_clock_offset_us(const NodeStatus& status) {
  uint64_t largest = 0;
  for (const MemberStatus& member : status.members) {
    if (!member.clock) continue;
    largest = std::max(largest, static_cast<uint64_t>(std::abs(member.clock->offset_us)));
  }
  return largest;
}

std::string background_waits(const cluster::BackgroundReport& report) {
  const bool waiting = std::any_of(report.works.begin(), report.works.end(),
                                   [](const auto& work) { return work.waiting; });
  if (report.unlimited || !waiting) return {};
  std::string text = fmt::format("clients go first: at {:.0f} % of full speed", report.percent());
  if (report.slowed) {
    text += fmt::format(" while their p99 is {}; limits.foreground_p99 is {}",
                        milliseconds(report.p99_us), milliseconds(report.target_us));
  }
  return text;
}

std::string cluster_status_text(const NodeStatus& status) {
  std::string text;
  auto out = std::back_inserter(text);
  const auto reachable = std::count_if(status.members.begin(), status.members.end(), is_reachable);
  fmt::format_to(out, "state:{}\r\ncluster:{}\r\ncluster_id:{:016x}\r\nnode:{}\r\n", status.state(),
                 status.cluster_name, status.cluster_id, status.name);
  fmt::format_to(out, "members:{}\r\nmembers_reachable:{}\r\npartitions:{}\r\n",
                 status.members.size(), reachable, status.partitions);
  fmt::format_to(out, "hints_pending:{}\r\ntransfers_active:{}\r\n", status.hints_pending,
                 status.transfers_active);
  fmt::format_to(out, "storage_faults:{}\r\nstorage_salvages:{}\r\ncopies_not_whole:{}\r\n",
                 status.storage.total(), status.storage.salvages, status.copies_not_whole);
  fmt::format_to(out, "tombstones:{}\r\nfrontier_ms:{}\r\nfrontier_waits:{}\r\n",
                 status.reaping.tombstones, status.reaping.frontier_ms, status.reaping.waits);
  fmt::format_to(out, "clocks_far_ahead:{}\r\n", status.far_ahead);
  if (status.background) {
    fmt::format_to(out, "background_percent:{:.1f}\r\nbackground_waits:{}\r\n",
                   status.background->percent(), background_waits(*status.background));
  }
  fmt::format_to(out, "problems:{}\r\n", status.problems.size());
  for (size_t i = 0; i < status.problems.size(); ++i) {
    const NodeProblem& problem = status.problems[i];
    fmt::format_to(out, "problem_{}:{}: {}\r\n", i + 1, problem.code, problem_text(problem));
  }
  for (const MemberStatus& member : status.members) {
    fmt::format_to(out, "member_{}:id={:016x},peer={},state={},weight={},partitions={},hints={}",
                   member.name, member.id, member.peer, member_state(member), member.weight,
                   member.partitions, member.hints_pending);
    if (member.clock) {
      fmt::format_to(out, ",clock_offset_ms={}", member.clock->offset_us / 1000);
    }
    if (!member.reason.empty()) fmt::format_to(out, ",reason={}", member.reason);
    fmt::format_to(out, "\r\n");
  }
  return text;
}

}  // namespace kvorum::server
