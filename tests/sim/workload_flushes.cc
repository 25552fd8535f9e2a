// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/workloads.h"

namespace kvorum::sim {
namespace {

constexpr double kFlushChance = 0.02;

}  // namespace

Client::Habits FlushWorkload::habits(size_t index) const {
  return {db_, 1.0, index % cluster_.nodes.size()};
}

void FlushWorkload::step(size_t index) {
  client(index).rng().chance(kFlushChance) ? flush(index) : write(index);
}

void FlushWorkload::write(size_t index) {
  const size_t number = writes_.size();
  Write& write = writes_.emplace_back();
  write.key = key_led_by(index % cluster_.nodes.size(), number);
  write.began_us = now_us();
  client(index).call({"SET", write.key, fmt::format("flushed-{}", number)},
                     [this, index, number](const RespReply* reply) {
                       writes_[number].fate = fate_of(reply);
                       if (writes_[number].fate != Fate::kStored) return next(index);
                       writes_[number].ended_us = now_us();
                       ask_copies(index, [this, index, number](const Copies& copies) {
                         writes_[number].copies = copies;
                         next(index);
                       });
                     });
}

void FlushWorkload::flush(size_t index) {
  const size_t number = flushes_.size();
  flushes_.push_back({now_us(), UINT64_MAX, false});
  const bool whole = all_reachable();
  const uint64_t disturbances = cluster_.network.disturbances();
  client(index).call({"FLUSHDB"}, [=, this](const RespReply* reply) {
    Flush& flush = flushes_[number];
    if (reply) flush.ended_us = now_us();
    flush.covers_all = fate_of(reply) == Fate::kStored && whole && all_reachable() &&
                       cluster_.network.disturbances() == disturbances;
    next(index);
  });
}

bool FlushWorkload::all_reachable() const {
  return cluster_.network.all_linked() &&
         std::all_of(cluster_.nodes.begin(), cluster_.nodes.end(),
                     [](const auto& node) { return node->alive(); });
}

std::vector<KeyName> FlushWorkload::keys() const {
  std::vector<KeyName> names;
  for (const Write& write : writes_) names.push_back({db_, write.key});
  return names;
}

void FlushWorkload::check(const FinalState& state) {
  for (const Write& write : writes_) {
    const bool there = !state.at({db_, write.key}).empty();
    if (there && write.fate == Fate::kNever) violation("refused key " + write.key + " is there");
    if (write.fate != Fate::kStored) continue;
    bool may_be_flushed = false, must_be_flushed = false;
    for (const Flush& flush : flushes_) {
      may_be_flushed |= flush.ended_us > write.began_us;
      // A primary that got an old disk knows better from the others.
      const bool known =
          cluster_.damage.must_survive({std::min(quorum().n, least().n), 0}, flush.began_us);
      must_be_flushed |= known && flush.covers_all && flush.began_us > write.ended_us;
    }
    if (there && must_be_flushed) violation(write.key + " was flushed and is back");
    if (there || may_be_flushed) continue;
    if (!cluster_.damage.must_survive(write.copies, write.began_us)) continue;
    violation(fmt::format("acknowledged key {}, written at {} us after every flush, is lost",
                          write.key, write.began_us));
  }
}

}  // namespace kvorum::sim
