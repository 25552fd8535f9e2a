// SPDX-License-Identifier: Apache-2.0
#include "server/status/status_watch.h"

#include <fmt/format.h>

#include <cstring>

namespace kvorum::server {
namespace {

constexpr size_t kProblemsMax = 256;

double seconds(uint64_t from_ms, uint64_t to_ms) {
  return to_ms > from_ms ? static_cast<double>(to_ms - from_ms) / 1000 : 0;
}

// Why the state is not settled: what a person would look at first.
std::string state_reason(const NodeStatus& status) {
  std::string reason;
  for (const MemberStatus& member : status.members) {
    if (member.self || member.state <= cluster::PeerState::kSlow) continue;
    reason.append(reason.empty() ? "" : "; ").append(member.name + ": " + member.reason);
  }
  if (status.hints_pending != 0) {
    reason.append(reason.empty() ? "" : "; ")
        .append(fmt::format("{} hints wait", status.hints_pending));
  }
  if (status.transfers_active != 0) {
    reason.append(reason.empty() ? "" : "; ")
        .append(fmt::format("{} transfers", status.transfers_active));
  }
  if (status.copies_not_whole != 0) {
    reason.append(reason.empty() ? "" : "; ")
        .append(
            fmt::format("{} copies are not compared with the others yet", status.copies_not_whole));
  }
  if (status.waiting) reason = "this node waits to be admitted";
  return reason;
}

}  // namespace

std::vector<StatusLine> StatusWatch::look(const NodeStatus& status, uint64_t now_ms) {
  lines_.clear();
  watch_store(status, now_ms);
  watch_state(status, now_ms);
  watch_problems(status, now_ms);
  watch_hints(status, now_ms);
  watch_repair(status);
  watch_refusals(status, now_ms);
  return std::move(lines_);
}

void StatusWatch::watch_state(const NodeStatus& status, uint64_t now_ms) {
  const std::string now = status.state();
  if (now == state_) {
    next_looks_ = 0;
    return;
  }
  next_looks_ = now == next_state_ ? next_looks_ + 1 : 1;
  next_state_ = now;
  if (next_looks_ < kSteadyLooks) return;
  const std::string after =
      state_.empty() ? "" : fmt::format(" after {:.0f} s", seconds(state_since_ms_, now_ms));
  if (now == "settled") {
    say(LogLevel::kInfo, "the cluster is settled" + after);
  } else {
    say(LogLevel::kWarn, fmt::format("the cluster is {}: {}", now, state_reason(status)));
  }
  state_ = now;
  state_since_ms_ = now_ms;
  next_looks_ = 0;
}

// Of members and of the store other lines tell.
void StatusWatch::watch_problems(const NodeStatus& status, uint64_t now_ms) {
  for (auto& [key, seen] : problems_) seen.present = false;
  for (const NodeProblem& problem : status.problems) {
    if (problem.code == "member_down" || problem.code == "store_failed") continue;
    if (problem.code == "loading" || problem.code == "stopping") continue;
    SeenProblem& seen = problems_[{problem.code, problem.subject}];
    seen.present = true;
    if (++seen.looks < kSteadyLooks || seen.told) continue;
    seen.told = true;
    seen.since_ms = now_ms;
    if (seen.told_ms != 0 && now_ms < seen.told_ms + kProblemAgainMs) continue;
    seen.told_ms = now_ms;
    say(LogLevel::kWarn, fmt::format("{}: {}", problem.code, problem_text(problem)));
  }
  for (auto& [key, seen] : problems_) {
    if (seen.present) continue;
    if (seen.told && seen.since_ms == seen.told_ms) {
      const std::string of = key.second.empty() ? "" : " (" + key.second + ")";
      say(LogLevel::kInfo,
          fmt::format("{}{}: over after {:.0f} s", key.first, of, seconds(seen.since_ms, now_ms)));
    }
    seen.looks = 0;
    seen.told = false;
  }
  if (problems_.size() > kProblemsMax) problems_.clear();
}

void StatusWatch::watch_hints(const NodeStatus& status, uint64_t now_ms) {
  for (const HintStatus& row : status.hints) {
    Delivery& delivery = deliveries_[row.target];
    const uint64_t more = row.delivered - std::min(row.delivered, delivery.delivered);
    delivery.delivered = row.delivered;
    if (more != 0 && delivery.count == 0) delivery.began_ms = now_ms;
    delivery.count += more;
    if (delivery.count == 0 || row.count != 0 || now_ms < delivery.told_ms + kIntervalMs) continue;
    say(LogLevel::kInfo, fmt::format("{} hints delivered to {} in {:.0f} s", delivery.count,
                                     row.target, seconds(delivery.began_ms, now_ms) + 1));
    delivery.count = 0;
    delivery.told_ms = now_ms;
  }
}

// Rounds that found nothing, of those that come by themselves, are no news.
void StatusWatch::watch_repair(const NodeStatus& status) {
  const RepairStatus& repair = status.repair;
  const bool ended = !repair.active && (repair_active_ || repair_expected_);
  const bool news = repair_expected_ || repair.keys_repaired != 0;
  if (ended && news) {
    say(LogLevel::kInfo, fmt::format("repair ended: {} keys repaired in {} comparisons",
                                     repair.keys_repaired, repair.partitions_done));
  }
  if (ended) repair_expected_ = false;
  repair_active_ = repair.active;
}

void StatusWatch::watch_store(const NodeStatus& status, uint64_t now_ms) {
  if (status.store_failed == store_failed_) return;
  store_failed_ = status.store_failed;
  if (store_failed_) {
    store_since_ms_ = now_ms;
    say(LogLevel::kError, "the store takes no writes: " + status.store_error);
  } else {
    say(LogLevel::kInfo, fmt::format("the store takes writes again after {:.0f} s",
                                     seconds(store_since_ms_, now_ms)));
  }
}

// How many a line would tell of now; 0: no line.
uint64_t StatusWatch::due(Refusals* refusals, uint64_t total, uint64_t now_ms) {
  refusals->untold += total - std::min(total, refusals->seen);
  refusals->seen = total;
  if (refusals->untold == 0 || now_ms < refusals->told_ms + kIntervalMs) return 0;
  refusals->told_ms = now_ms;
  return std::exchange(refusals->untold, 0);
}

void StatusWatch::watch_refusals(const NodeStatus& status, uint64_t now_ms) {
  if (const uint64_t refused = due(&clients_, status.connections_rejected, now_ms)) {
    say(LogLevel::kWarn, fmt::format("{} connections were refused: there are {} clients already{}",
                                     refused, status.clients_max,
                                     status.clients_max < status.clients_configured
                                         ? ", as many as the limit of open files allows"
                                         : " (limits.clients)"));
  }
  if (const uint64_t failed = due(&accepts_, status.accept_failures, now_ms)) {
    say(LogLevel::kError, fmt::format("connections could not be accepted, {} times: {}; raise the "
                                      "limit of open files (ulimit -n)",
                                      failed, std::strerror(status.accept_error)));
  }
}

}  // namespace kvorum::server
