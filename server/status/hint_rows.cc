// SPDX-License-Identifier: Apache-2.0
#include "server/status/hint_rows.h"

#include <fmt/format.h>

namespace kvorum::server {
namespace {

// Of a hint that has just come; clocks of other nodes may be ahead.
uint64_t age_ms(Hlc oldest, uint64_t now_ms) {
  return now_ms > oldest.ms() ? now_ms - oldest.ms() : 0;
}

// The row of a target; a new one where it is no member.
HintStatus& row_of(cluster::NodeId target, NodeStatus* status) {
  for (HintStatus& row : status->hints) {
    if (row.id == target) return row;
  }
  HintStatus& row = status->hints.emplace_back();
  row.target = fmt::format("{:016x}", target);
  row.id = target;
  return row;
}

}  // namespace

void add_hint_rows(const cluster::HintLedger& ledger, Now now, NodeStatus* status) {
  status->hints_pending = ledger.count();
  status->hints_bytes = ledger.bytes();
  status->hints_max_bytes = ledger.bytes_max();
  status->hints_refused = ledger.refused();
  for (MemberStatus& member : status->members) {
    if (member.self) continue;
    HintStatus& row = status->hints.emplace_back();
    row.target = member.name;
    row.id = member.id;
  }
  for (const cluster::HintTargetReport& report : ledger.report(now.steady_us)) {
    HintStatus& row = row_of(report.target, status);
    row.count = report.count;
    row.bytes = report.bytes;
    row.oldest_ms = report.count == 0 ? 0 : age_ms(report.oldest, now.wall_ms);
    row.delivered = report.delivered;
    row.bytes_per_second = report.bytes_per_second;
    if (row.count != 0) row.reason = cluster::hint_wait_name(report.wait);
    for (MemberStatus& member : status->members) {
      if (member.id == report.target) member.hints_pending = report.count;
    }
  }
}

}  // namespace kvorum::server
