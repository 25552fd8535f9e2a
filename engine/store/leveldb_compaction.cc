// SPDX-License-Identifier: Apache-2.0
#include "engine/store/leveldb_compaction.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"

namespace kvorum::engine {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr uint64_t kSmallBytes = 4096;
constexpr uint64_t kRecordBytes = 12;                  // of LevelDB itself, about
constexpr uint64_t kBusyPauses = 4, kQuietPauses = 1;  // as long as a step took
constexpr uint64_t kBudgetWaitMs = 60'000;

// Nothing where the key is none of an object.
bool stretch_of(std::string_view key, size_t* stretch) {
  if (key.size() < 2) return false;
  const auto keyspace = static_cast<unsigned char>(key[0]);
  *stretch = keyspace * 256u + static_cast<unsigned char>(key[1]);
  return keyspace < ErasedBook::kKeyspaces;
}

}  // namespace

std::string ErasedBook::begin_of(size_t stretch) {
  KVORUM_CHECK(stretch <= kStretches);
  return {static_cast<char>(stretch / 256), static_cast<char>(stretch % 256)};
}

void ErasedBook::note_erased(std::string_view key) {
  size_t stretch = 0;
  if (!stretch_of(key, &stretch)) return;
  stretches_[stretch].erased.fetch_add(1, std::memory_order_relaxed);
}

void ErasedBook::note_live(size_t stretch, const Live& live) {
  KVORUM_CHECK(stretch < kStretches);
  Stretch& noted = stretches_[stretch];
  noted.records = live.records;
  noted.bytes = live.bytes;
  noted.erased = 0;
  noted.unchecked = false;
}

void ErasedBook::Live::count(std::string_view key, std::string_view value) {
  ++records;
  bytes += key.size() + value.size() + kRecordBytes;
}

bool ErasedBook::Live::is_small_part_of(uint64_t on_disk) const {
  return 2 * on_disk > 3 * bytes + kSmallBytes;
}

void ErasedBook::Census::count(std::string_view key, std::string_view value) {
  size_t stretch = 0;
  if (stretch_of(key, &stretch)) found_[stretch].count(key, value);
}

void ErasedBook::take(const Census& census) {
  for (size_t stretch = 0; stretch < kStretches; ++stretch) {
    note_live(stretch, census.found_[stretch]);
    stretches_[stretch].unchecked = true;
  }
}

bool ErasedBook::may_be_dead(size_t stretch) const {
  KVORUM_CHECK(stretch < kStretches);
  const Stretch& noted = stretches_[stretch];
  const uint64_t erased = noted.erased.load(std::memory_order_relaxed);
  return noted.unchecked || (erased != 0 && 2 * erased >= noted.records);
}

bool ErasedBook::looks_dead(size_t stretch, uint64_t on_disk) {
  KVORUM_CHECK(stretch < kStretches);
  Stretch& noted = stretches_[stretch];
  const Live live{noted.records, noted.bytes};
  if (noted.unchecked.exchange(false) && live.is_small_part_of(on_disk)) return true;
  return may_be_dead(stretch);
}

CompactionThread::CompactionThread(CompactionTarget* target, ErasedBook* book,
                                   CompactionOptions options)
    : target_(target), book_(book), options_(std::move(options)) {
  KVORUM_CHECK(target_ != nullptr && book_ != nullptr);
  KVORUM_CHECK(options_.step_bytes > 0);  // stretches are cut into parts of so many
  thread_ = std::thread([this] { run(); });
}

CompactionThread::~CompactionThread() {
  {
    const MutexLock guard(lock_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool CompactionThread::pause(uint64_t ms) {
  const auto end = Clock::now() + milliseconds(ms);
  const MutexLock guard(lock_);
  while (!stopping_ && wake_.wait_until(lock_, end)) {
  }
  return !stopping_;
}

void CompactionThread::run() {
  written_ = target_->written_batches();
  while (pause(options_.look_ms)) look();
}

bool CompactionThread::may_begin() {
  const uint64_t written = target_->written_batches();
  KVORUM_CHECK(written >= written_);
  quiet_ = written - std::exchange(written_, written) <= options_.quiet_writes_max;
  busy_looks_ = quiet_ ? 0 : busy_looks_ + 1;
  return quiet_ || busy_looks_ >= options_.busy_looks_max;
}

bool CompactionThread::wait_for_budget(uint64_t bytes) {
  uint64_t waited_ms = 0;
  while (options_.wait_ms && waited_ms < kBudgetWaitMs) {
    const uint64_t wait_ms = options_.wait_ms(bytes);
    if (wait_ms == 0) return true;
    if (!pause(wait_ms)) return false;
    waited_ms += wait_ms;
  }
  return pause(0);
}

// Neighbours together, as far as a step goes.
std::vector<CompactionThread::Step> CompactionThread::find_steps() {
  std::vector<Step> steps;
  for (size_t stretch = 0; stretch < ErasedBook::kStretches; ++stretch) {
    if (!book_->may_be_dead(stretch)) continue;
    const uint64_t bytes =
        target_->table_bytes(ErasedBook::begin_of(stretch), ErasedBook::begin_of(stretch + 1));
    if (!book_->looks_dead(stretch, bytes) || bytes <= kSmallBytes) continue;
    const bool joins = !steps.empty() && steps.back().end == stretch &&
                       steps.back().bytes + bytes <= options_.step_bytes;
    if (!joins) steps.push_back({stretch, stretch, 0});
    steps.back().end = stretch + 1;
    steps.back().bytes += bytes;
  }
  return steps;
}

void CompactionThread::look() {
  if (!may_begin()) return;
  bool any = false;
  for (size_t stretch = 0; stretch < ErasedBook::kStretches && !any; ++stretch) {
    any = book_->may_be_dead(stretch);
  }
  if (!any) return;
  if (target_->log_bytes_now() >= options_.worth_bytes) target_->flush_memory();
  const std::vector<Step> steps = find_steps();
  uint64_t bytes = 0;
  for (const Step& step : steps) bytes += step.bytes;
  if (bytes < options_.worth_bytes) return;
  for (const Step& step : steps) {
    if (!work_on(step)) return;
  }
}

// Reads first, so that a wrong guess costs a read and no rewriting. A stretch that is large by
// itself is handled in parts. False: it is time to stop.
bool CompactionThread::work_on(const Step& step) {
  KVORUM_CHECK(step.first < step.end && step.end <= ErasedBook::kStretches);
  std::vector<std::string> bounds;
  const size_t parts = step.end - step.first > 1
                           ? 1
                           : std::clamp<size_t>(step.bytes / options_.step_bytes + 1, 1, 256);
  for (size_t stretch = step.first; stretch < step.end; ++stretch) {
    for (size_t part = 0; part < parts; ++part) {
      bounds.push_back(ErasedBook::begin_of(stretch));
      if (part != 0) bounds.back().push_back(static_cast<char>(part * 256 / parts));
    }
  }
  bounds.push_back(ErasedBook::begin_of(step.end));
  ErasedBook::Live all, of_stretch;
  for (size_t at = 0; at + 1 < bounds.size(); ++at) {
    if (!wait_for_budget(step.bytes / (bounds.size() - 1))) return false;
    if (!target_->measure(bounds[at], bounds[at + 1], &of_stretch)) return false;
    if ((at + 1) % parts != 0) continue;
    book_->note_live(step.first + at / parts, of_stretch);
    all.records += of_stretch.records;
    all.bytes += of_stretch.bytes;
    of_stretch = {};
  }
  if (!all.is_small_part_of(step.bytes)) return true;
  if (parts == 1) return compact(bounds.front(), bounds.back(), step.bytes);
  for (size_t part = 0; part < parts; ++part) {
    if (!compact(bounds[part], bounds[part + 1], step.bytes / parts)) return false;
  }
  return true;
}

bool CompactionThread::compact(const std::string& begin, const std::string& end, uint64_t bytes) {
  KVORUM_CHECK(begin < end);
  if (!wait_for_budget(bytes)) return false;
  const auto began = Clock::now();
  target_->compact(begin, end);
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - began);
  return pause((quiet_ ? kQuietPauses : kBusyPauses) * static_cast<uint64_t>(took.count()));
}

}  // namespace kvorum::engine
