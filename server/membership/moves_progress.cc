// SPDX-License-Identifier: Apache-2.0
#include "server/membership/moves_progress.h"

#include <algorithm>
#include <utility>

namespace kvorum::server {
namespace {

using Amount = MovesStatus::Amount;

template <class Rows>
auto* row_of(Rows& rows, uint32_t partition) {
  const auto found =
      std::lower_bound(rows.begin(), rows.end(), partition,
                       [](const auto& row, uint32_t at) { return row.partition < at; });
  return found == rows.end() || found->partition != partition ? nullptr : &*found;
}

// What came in so long, a second. Where less is there than before, nothing came.
Amount rate_of(const Amount& then, const Amount& now, uint64_t took_us) {
  const auto rate = [took_us](uint64_t before, uint64_t after) {
    const auto came = static_cast<double>(after > before ? after - before : 0);
    return static_cast<uint64_t>(came * 1e6 / static_cast<double>(took_us));
  };
  return {rate(then.keys, now.keys), rate(then.bytes, now.bytes)};
}

}  // namespace

void MovesProgress::look(uint64_t now_us, MovesStatus* moves) {
  if (moves->rows.empty()) {
    *this = {};
    return;
  }
  note_rows(*moves);
  add_total(moves);
  add_rates(now_us, moves);
  keep_sample(now_us, moves->total);
}

// A row that is gone was settled: all of it has come.
void MovesProgress::note_rows(const MovesStatus& moves) {
  std::vector<Seen> rows;
  rows.reserve(moves.rows.size());
  for (const MovesStatus::Row& row : moves.rows) {
    Seen seen{row.partition, row.copied, row.of};
    const Seen* const before = row_of(rows_, row.partition);
    if (!row.is_counted) seen = before != nullptr ? *before : Seen{row.partition, {}, {}};
    rows.push_back(seen);
  }
  for (const Seen& before : rows_) {
    if (row_of(rows, before.partition) != nullptr) continue;
    ++moved_;
    done_ += before.of;
  }
  rows_ = std::move(rows);
}

void MovesProgress::add_total(MovesStatus* moves) const {
  MovesStatus::Total& total = moves->total;
  total.partitions_moved = moved_;
  total.partitions_left = moves->rows.size();
  total.is_counted = std::all_of(moves->rows.begin(), moves->rows.end(),
                                 [](const MovesStatus::Row& row) { return row.is_counted; });
  total.copied = done_;
  for (const Seen& row : rows_) {
    total.copied += row.copied;
    total.left += {row.of.keys - row.copied.keys, row.of.bytes - row.copied.bytes};
  }
}

void MovesProgress::add_rates(uint64_t now_us, MovesStatus* moves) const {
  if (samples_.empty() || now_us < samples_.front().at_us + kSampleUs) return;
  const Sample& then = samples_.front();
  const uint64_t took_us = now_us - then.at_us;
  for (MovesStatus::Row& row : moves->rows) {
    const Seen* const before = row_of(then.rows, row.partition);
    if (!row.is_counted || before == nullptr) continue;
    row.per_second = rate_of(before->copied, row.copied, took_us);
  }
  MovesStatus::Total& total = moves->total;
  if (!total.is_counted) return;
  total.per_second = rate_of(then.copied, total.copied, took_us);
  const uint64_t rate = total.per_second.keys;
  if (rate > 0) total.seconds_left = (total.left.keys + rate - 1) / rate;
}

// Only what is counted: what members say late has not come just now.
void MovesProgress::keep_sample(uint64_t now_us, const MovesStatus::Total& total) {
  if (!total.is_counted) return;
  if (!samples_.empty() && now_us < samples_.back().at_us + kSampleUs) return;
  samples_.push_back({now_us, total.copied, rows_});
  while (samples_.size() > 1 && samples_[1].at_us + kWindowUs <= now_us) samples_.pop_front();
}

}  // namespace kvorum::server
