// SPDX-License-Identifier: Apache-2.0
// What the reactors of a node share for clients that cache what they read (CLIENT TRACKING) and for
// those that see all commands (MONITOR): who is where, which other nodes want to be told of
// changes, which of them tell this one, and the mailboxes from one reactor to another; memcached's
// watchers too.
//
//   a node without such clients   tells nobody, and asks for nothing
//   its first one                 asks every member that is linked: "tell me" --answer--> covered
//   while there are any           asks again now and then; who is not asked any more tells no more
//   the last one is gone          asks them, some time later, to tell no more
//
// What is covered misses nothing until a link breaks: then, once it is covered again, and where a
// member that is asked again has told nothing, clients are told to drop all they have (a gap).
// Owned by the node; any thread, on_mail is set before the reactors start.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/slot_map.h"
#include "cluster/own/node_parts.h"
#include "cluster/ring/member.h"
#include "cluster/wire/changed_keys.h"
#include "server/status/node_status.h"
#include "server/tracking/change_frames.h"
#include "server/tracking/tracking_table.h"

namespace kvorum::server {

// A connection, by its id: on which reactor, and where there.
struct ClientPlace {
  uint32_t reactor = 0;
  SlotId slot = 0;
};

// What one reactor tells a client of another one, which stands in for its own. No keys: all.
struct RedirectedNews {
  SlotId slot = 0;
  std::vector<std::string> keys;
};

// For memcached's watchers of a stream (server/memcached/watch_desk.h).
struct WatchedLine {
  uint8_t stream = 0;
  std::shared_ptr<const std::string> text;
};

struct TrackingMail {
  std::vector<std::shared_ptr<const cluster::ChangedKeys>> changes;
  std::vector<RedirectedNews> redirected;
  std::vector<std::shared_ptr<const std::string>> lines;  // for monitors
  std::vector<WatchedLine> watched;
  bool gap = false;    // any key may have changed
  bool flush = false;  // all are gone
  size_t bytes = 0;

  bool empty() const {
    return changes.empty() && redirected.empty() && lines.empty() && watched.empty() && !gap &&
           !flush;
  }
};

class TrackingHub {
 public:
  // Beyond it changes become a gap, and lines for monitors are dropped.
  static constexpr size_t kMailBytesMax = size_t{64} << 20;
  static constexpr uint64_t kAskAgainUs = 1'000'000;  // nobody answered
  static constexpr uint64_t kRenewUs = 10'000'000;    // what was answered
  static constexpr uint64_t kForgetUs = 60'000'000;   // who is not heard of any more
  static constexpr uint64_t kLookUs = 500'000;
  static constexpr uint64_t kLingerUs = 10'000'000;

  explicit TrackingHub(uint32_t reactors);
  TrackingHub(const TrackingHub&) = delete;
  // Before the reactors start: where flushes and losses are seen. Has told_changes set.
  void watch(cluster::NodeParts* parts);

  // ---- connections, and the clients among them that track or monitor
  void add_client(uint64_t id, const ClientPlace& place);
  void remove_client(uint64_t id);
  std::optional<ClientPlace> find_client(uint64_t id) const;
  void count_tracking(uint32_t reactor, bool more);
  void count_monitor(uint32_t reactor, bool more);
  bool has_monitors() const { return monitors_.load(std::memory_order_acquire) != 0; }
  // False, and nothing is counted, where there are as many as may be.
  static constexpr uint64_t kWatchersMax = 20;
  static constexpr size_t kStreams = 4;
  bool add_watcher(uint32_t reactor, uint8_t streams);
  void remove_watcher(uint32_t reactor, uint8_t streams);
  // Streams that somebody at the node watches.
  uint8_t watched() const { return watched_.load(std::memory_order_acquire); }
  uint64_t next_line() { return lines_made_.fetch_add(1, std::memory_order_relaxed) + 1; }
  void count_lines(uint64_t sent, uint64_t skipped) {
    lines_sent_.fetch_add(sent, std::memory_order_relaxed);
    lines_skipped_.fetch_add(skipped, std::memory_order_relaxed);
  }
  // Of a reactor, as of now.
  void note_totals(uint32_t reactor, const TrackingStatus& totals);
  TrackingStatus status() const;

  // Of all reactors of the node together; 0: no bound.
  void set_keys_max(size_t keys) { keys_max_.store(keys, std::memory_order_relaxed); }
  size_t keys_max() const { return keys_max_.load(std::memory_order_relaxed); }
  size_t keys_max_of_reactor() const {
    const size_t keys = keys_max();
    return keys == 0 ? TrackingTable::kUnbounded : std::max<size_t>(keys / reactors_, 1);
  }

  // Whether somebody, here or elsewhere, is to be told of changes.
  bool tells_changes() const { return told_changes_.load(std::memory_order_acquire); }
  // A mark was raised, or copies here lost something, since this was asked last; then one of the
  // reactors is told so.
  struct News {
    bool flushed = false, lost = false;
  };
  News take_news();

  // ---- other nodes that want to be told
  // Returns whether it was so before.
  bool set_interested(cluster::MemberIndex member, bool on, uint64_t now_us);
  bool is_interested(cluster::MemberIndex member) const;
  // Leaves `members` empty where there are none.
  void interested(std::vector<cluster::MemberIndex>* members) const;

  // ---- other nodes that tell this one
  // A client is about to track: they are asked. Whether nothing is missed from now on.
  enum class Coverage : uint8_t { kCovered, kAwaited, kTooOld };
  Coverage want(uint64_t now_us, cluster::MemberIndex* too_old);
  // The rest is the first reactor's. The route of a member, as PeerRoutes tells it.
  void on_link(cluster::MemberIndex member, bool up, uint16_t version);
  bool wants_look(uint64_t now_us) const {
    return look_.load(std::memory_order_acquire) ||
           now_us >= look_at_us_.load(std::memory_order_relaxed);
  }
  struct Question {
    cluster::MemberIndex member = cluster::kNoMember;
    uint64_t number = 0;
    bool on = false;
  };
  // Which members to ask what, at this time; and forgets those of which nothing is heard.
  std::vector<Question> look(uint64_t now_us);
  // It could not be sent.
  void not_asked(const Question& question);
  // By any reactor. True: a gap ends here.
  bool on_answer(cluster::MemberIndex member, const TrackChangesReply& answer);

  // ---- mail
  // To each reactor but this one that has clients that track.
  void post_changes(uint32_t from, const std::shared_ptr<const cluster::ChangedKeys>& changed);
  void post_gap();  // to all of them
  void post_flush();
  void post_redirected(uint32_t to, RedirectedNews news);
  // To each reactor but this one that has monitors.
  void post_line(uint32_t from, const std::shared_ptr<const std::string>& line);
  // To each reactor but this one that has watchers.
  void post_watched(uint32_t from, const WatchedLine& line);
  void take(uint32_t reactor, TrackingMail* mail);
  std::function<void(uint32_t reactor)> on_mail;  // its mailbox is not empty any more, or look()

 private:
  struct Peer {
    bool linked = false;
    uint16_t version = 0;
    uint64_t asked = 0;  // the number of the last question on this link; 0: none
    uint64_t asked_us = 0;
    bool asked_on = false;
    bool answered = false;  // that question
    bool covers = false;    // it tells of all that changes
    bool interested = false;
    uint64_t interested_until_us = 0;

    bool speaks() const { return version >= cluster::kTrackingVersion; }
  };
  struct Mailbox {
    Mutex lock;
    TrackingMail mail KVORUM_GUARDED_BY(lock);
  };
  struct OfReactor {
    std::atomic<uint32_t> tracking{0}, monitors{0}, watchers{0};
    std::atomic<uint64_t> keys{0}, items{0}, prefixes{0};
  };

  Peer& peer(cluster::MemberIndex member) KVORUM_REQUIRES(lock_);
  void judge() KVORUM_REQUIRES(lock_);
  bool is_due(const Peer& each, uint64_t now_us) const KVORUM_REQUIRES(lock_);
  void ask_for_look();
  template <class Put>
  void post(uint32_t reactor, Put put);

  const uint32_t reactors_;
  const cluster::FlushMarks* marks_ = nullptr;
  const std::atomic<uint64_t>* incarnation_ = nullptr;
  std::vector<OfReactor> of_;
  std::vector<Mailbox> mailboxes_;
  std::atomic<uint64_t> tracking_{0};
  std::atomic<size_t> keys_max_{TrackingTable::kKeysMax};
  std::atomic<uint64_t> marks_seen_{0}, incarnation_seen_{0};
  std::atomic<bool> look_{false};
  std::atomic<uint64_t> look_at_us_{UINT64_MAX};

  std::atomic<uint64_t> lines_made_{0}, lines_dropped_{0}, lines_sent_{0}, lines_skipped_{0};

  mutable Mutex lock_;
  std::array<uint32_t, kStreams> watching_ KVORUM_GUARDED_BY(lock_){};  // by stream
  std::atomic<uint64_t> watchers_{0};
  std::unordered_map<uint64_t, ClientPlace> places_ KVORUM_GUARDED_BY(lock_);
  std::vector<Peer> peers_ KVORUM_GUARDED_BY(lock_);  // by member
  uint64_t questions_ KVORUM_GUARDED_BY(lock_) = 0;
  uint64_t wanted_until_us_ KVORUM_GUARDED_BY(lock_) = 0;
  bool wanted_ KVORUM_GUARDED_BY(lock_) = false;

  // Read for each change and each command: they share their lines with nothing that changes.
  alignas(64) std::atomic<bool> told_changes_{false};
  alignas(64) std::atomic<uint64_t> monitors_{0};
  std::atomic<uint8_t> watched_{0};
};

}  // namespace kvorum::server
