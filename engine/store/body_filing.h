// SPDX-License-Identifier: Apache-2.0
// Large bodies on their way into files, and files on their way out, for one ObjectTable.
//
//   update --take--> waiting --write_waiting--> writing --> filed --take, by the update's next run
//                       |                          |           |
//                       +--- nobody came back ---> gone <------+        (or the write failed)
//
// A file that no record has any more is removed once the change that took it from its record is
// synced: part_with(), note_synced(). Removing takes the file system milliseconds, so a thread of
// its own does that, and forgets what nobody came back for. Any thread; take() and part_with() are
// called under the partition's lock and do no I/O.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/position.h"
#include "base/shared_bytes.h"
#include "engine/store/large_files.h"

namespace kvorum::engine {

class BodyFiling {
 public:
  using Clock = std::chrono::steady_clock;
  // For the operation to come back: more than any needs.
  static constexpr auto kWaitMax = std::chrono::seconds(60);

  explicit BodyFiling(LargeFiles* files);
  ~BodyFiling();  // removes the files that are due

  // Hands out the file that this body of the key got, once. Where it has none the body is noted:
  // write_waiting(), then ask again.
  bool take(const KeyRef& key, const SharedView& body, FileReference* file);
  // Gives files to all bodies of the key that were noted. Blocks on I/O.
  Status write_waiting(const KeyRef& key);
  // There is one that write_waiting() has to write.
  bool awaits_file(const KeyRef& key);
  Result<SharedBytes> read(const FileReference& file) const { return files_->read(file); }

  // No record has this file, once the commit of the ticket is synced. Before that commit began.
  void part_with(const FileReference& file, uint64_t ticket);
  void note_synced(uint64_t ticket);
  // At start: all but these, which are sorted, are left over.
  Status remove_all_but(const std::vector<uint64_t>& ids) const;
  // What was waiting, or filed, at that time and not taken since.
  void forget_since(Clock::time_point time);

 private:
  enum class State : uint8_t { kWaiting, kWriting, kFiled };
  struct Item {
    SharedBytes share{};  // until it is filed: nobody may come back for it
    SharedBytes::weak_type owner = share;
    std::string_view bytes{};  // only where the owner lives
    FileReference file{};
    State state = State::kWaiting;
    Clock::time_point since = Clock::now();  // in this state

    bool is_same(std::string_view body) const;
    bool is_equal(std::string_view body) const;
  };
  using Items = std::multimap<std::string, Item>;  // by store_key()

  Items::iterator find(const std::string& key, State state) KVORUM_REQUIRES(mutex_);
  Items::iterator find(const std::string& key, std::string_view body) KVORUM_REQUIRES(mutex_);
  // These two give the mutex back for as long as they write or remove.
  Status write(Items::iterator item) KVORUM_REQUIRES(mutex_);
  void remove_due() KVORUM_REQUIRES(mutex_);
  void forget(Clock::time_point time) KVORUM_REQUIRES(mutex_);
  void run();

  LargeFiles* const files_;
  Mutex mutex_;
  ConditionVariable written_, wake_;
  Items items_ KVORUM_GUARDED_BY(mutex_);
  std::vector<std::pair<uint64_t, uint64_t>> parted_ KVORUM_GUARDED_BY(mutex_);  // ticket, id
  std::vector<uint64_t> due_ KVORUM_GUARDED_BY(mutex_);                          // to be removed
  bool stopping_ KVORUM_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // the last: it uses all the rest
};

}  // namespace kvorum::engine
