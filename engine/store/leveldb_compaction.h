// SPDX-License-Identifier: Apache-2.0
// Gives back the disk space of what was erased. LevelDB compacts where it writes: a node that
// deleted everything and fell quiet would keep the dead bytes for ever. The book knows, by stretch
// of keys, how much was erased since it was looked at last; a thread beside the store looks now and
// then, reads the stretches that may be mostly dead, and compacts those that are, a few megabytes
// at a time, so that a stop waits for one step at most. Owned by LevelDbStore.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace kvorum::engine {

// Stretches are the 256th parts of a keyspace: the first two bytes of a key.
class ErasedBook {
 public:
  static constexpr size_t kKeyspaces = 16;
  static constexpr size_t kStretches = kKeyspaces * 256;

  static std::string begin_of(size_t stretch);  // of its keys, also the end of those before it

  // Of any thread.
  void note_erased(std::string_view key);
  // How many records a stretch holds and what they take on disk, as a scan of it found them.
  struct Live {
    uint64_t records = 0, bytes = 0;

    void count(std::string_view key, std::string_view value);
    // Of so many bytes on disk a third or more is dead.
    bool is_small_part_of(uint64_t on_disk) const;
  };
  void note_live(size_t stretch, const Live& live);

  // Of all stretches, by one scan of everything: what a start reads anyway.
  class Census {
   public:
    Census() : found_(kStretches) {}
    void count(std::string_view key, std::string_view value);

   private:
    friend class ErasedBook;
    std::vector<Live> found_;
  };
  void take(const Census& census);

  // So many records were erased since it was scanned that a third of it may be dead; or a census
  // found what is alive, and `on_disk` is much more.
  bool may_be_dead(size_t stretch) const;
  bool looks_dead(size_t stretch, uint64_t on_disk);

 private:
  struct Stretch {
    std::atomic<uint64_t> erased{0};
    std::atomic<uint64_t> records{0}, bytes{0};
    std::atomic<bool> unchecked{false};  // since a census
  };
  std::array<Stretch, kStretches> stretches_;
};

struct CompactionOptions {
  uint32_t look_ms = 5'000;
  // The node is quiet while it writes no more batches than this between two looks; one that never
  // is gets its space back after so many looks, at a fifth of the pace.
  uint64_t quiet_writes_max = 50;
  uint32_t busy_looks_max = 60;
  uint64_t worth_bytes = 4 << 20;  // less dead bytes than this are not worth the work
  uint64_t step_bytes = 16 << 20;  // of one compaction
  // How long background work has to wait before it handles so many bytes; empty: never.
  std::function<uint64_t(size_t bytes)> wait_ms = {};
};

// What the thread asks of the store.
class CompactionTarget {
 public:
  virtual ~CompactionTarget() = default;
  virtual uint64_t written_batches() const = 0;
  virtual uint64_t log_bytes_now() const = 0;
  virtual void flush_memory() = 0;
  // Of the tables on disk, dead bytes included.
  virtual uint64_t table_bytes(std::string_view begin, std::string_view end) const = 0;
  virtual bool measure(std::string_view begin, std::string_view end, ErasedBook::Live* live) = 0;
  virtual void compact(std::string_view begin, std::string_view end) = 0;
};

class CompactionThread {
 public:
  CompactionThread(CompactionTarget* target, ErasedBook* book, CompactionOptions options);
  ~CompactionThread();  // waits for the step that is under way
  CompactionThread(const CompactionThread&) = delete;

 private:
  struct Step {
    size_t first = 0, end = 0;  // stretches
    uint64_t bytes = 0;
  };

  void run();
  void look();
  bool may_begin();
  std::vector<Step> find_steps();
  bool work_on(const Step& step);
  bool compact(const std::string& begin, const std::string& end, uint64_t bytes);
  bool pause(uint64_t ms);  // false: it is time to stop
  bool wait_for_budget(uint64_t bytes);

  CompactionTarget* const target_;
  ErasedBook* const book_;
  const CompactionOptions options_;
  uint64_t written_ = 0;  // of the thread, as are the next two
  uint32_t busy_looks_ = 0;
  bool quiet_ = false;
  Mutex lock_;
  ConditionVariable wake_;
  bool stopping_ KVORUM_GUARDED_BY(lock_) = false;
  std::thread thread_;
};

}  // namespace kvorum::engine
