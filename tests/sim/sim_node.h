// SPDX-License-Identifier: Apache-2.0
// A node: the real coordinators, dispatchers, conversations, ObjectTable and session facts, with
// simulated clocks, disk, commit rounds and links in the place of server/'s. Lives through many
// sessions: a death drops all machines and keeps the disk, a start begins a session as
// server/node/node.h does. Owned by a Cluster; one thread.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cluster/copies/hints.h"
#include "cluster/copies/lost_copies.h"
#include "cluster/frontier/frontier_protocol.h"
#include "cluster/history/history.h"
#include "cluster/ring/founding.h"
#include "engine/commit/checkpoint.h"
#include "engine/journal/journaled_store.h"
#include "server/dispatch/conversation.h"
#include "server/dispatch/dispatcher.h"
#include "server/script/script_library.h"
#include "server/storage/node_identity.h"
#include "tests/sim/network.h"
#include "tests/sim/sim_store.h"

namespace kvorum::sim {

// Of context tokens, at all nodes.
inline constexpr MacKey kTokenKey{1, 2};

enum class Death : uint8_t {
  kKill,     // the process ends; what was written stays, synced or not
  kPower,    // what was not synced may be lost
  kWipe,     // and the disk is empty afterwards
  kClean,    // everything is committed, synced and marked as a clean stop
  kRestore,  // and the disk is as it was when it was copied last
};

// What a node is made in. Outlives it.
struct World {
  // What living nodes know of the membership, for one that lost it. None where nobody is there.
  using Histories = std::function<std::optional<cluster::History>(size_t asker)>;
  EventQueue& queue;
  Trace& trace;
  Network& network;
  const Swarm& swarm;
  const cluster::Founding& founding;
  std::vector<std::string>& violations;  // what a node finds wrong with itself
  Histories histories;
};

// The far end of a client connection.
class ClientEnd {
 public:
  virtual ~ClientEnd() = default;
  virtual void on_bytes(std::string_view bytes) = 0;
  virtual void on_closed() = 0;
};

class SimNode final : public Peer, public server::NodeServices {
 public:
  SimNode(const World& world, size_t index, uint64_t seed);
  ~SimNode() override;

  // False where the disk does not let a session begin: try again later.
  bool start();
  void die(Death how);
  // SIGTERM: `ended` is called when nothing is left to do but to die.
  void terminate(std::function<void()> ended);
  bool alive() const { return !reactors_.empty(); }
  bool takes_clients() const { return alive() && course_ == Course::kRuns; }
  // Of the cluster as this node knows it: it has not departed.
  bool is_member() const { return view_->takes_part(); }

  // One that is no founder: known by this id, it starts with what the node that admits it knows.
  void admit(cluster::NodeId id, const cluster::History& history);
  bool admitted() const { return id_ != 0; }
  cluster::NodeId id() const { return id_; }
  // An administrator's wish at this node. What a change is about: `described`.
  void propose(cluster::Change change);  // which has no id yet
  std::shared_ptr<const cluster::History> known_history() const { return history_->history(); }
  // The same with what is not on disk yet.
  cluster::History wished_history() const { return history_->known(); }
  // Objects or hints, of whatever partition.
  bool holds_anything() const;
  // No input is looked at until then (SIGSTOP, a long collection elsewhere on the machine).
  // A pause is never moved: what waits for its end would change places with what comes later.
  void pause_until(uint64_t time_us) {
    if (paused_until_us_ <= world_.queue.now_us()) paused_until_us_ = time_us;
  }
  void move_clock(int64_t by_ms) { skew_ms_ += by_ms; }
  SimDisk& disk() { return disk_; }
  // For a death by kRestore.
  void copy_disks();
  // Looks for damage that no read has met.
  void scrub_disk();

  // A client's connection; 0 is never an id. Its far end hears of nothing once it is gone.
  uint64_t connect(size_t reactor, std::weak_ptr<ClientEnd> end,
                   server::Dialect dialect = server::Dialect::kResp);
  void disconnect(uint64_t connection);
  void receive(uint64_t connection, std::string_view bytes);

  // Peer
  void on_frame(size_t reactor, cluster::LinkIndex from, std::string_view frame) override;
  void on_link(size_t reactor, cluster::MemberIndex peer, bool up) override;
  // NodeServices
  server::NodeStatus status() override;
  uint64_t wall_us() override { return now().wall_ms * 1000; }

  // For checkers.
  const cluster::ClusterView& view() const { return *view_; }
  // The node of a member, by its name.
  size_t node_of(cluster::MemberIndex member) const {
    return node_named(view_->members[member].name);
  }
  uint64_t hints_pending() const;
  // `for b: key` each, and whether this node thinks b is up.
  std::string describe_hints() const;
  // What is under way: operations, waiting calls, commits and loads, timers. Empty where nothing
  // is.
  std::string describe_backlog() const;
  size_t suspicions() const;
  cluster::CoordinatorCounters counters() const;  // of all reactors
  uint64_t clock_ms() const { return clock_->reading(now().wall_ms).ms(); }
  uint64_t digest(uint8_t db, uint32_t partition) const { return table_->digest(db, partition); }
  // This node's own copy, brought into memory first. The bytes live until the next call.
  const cluster::Object& own_object(uint8_t db, const std::string& key);
  uint64_t leaf(uint8_t db, const std::string& key);  // of own_object(), for its partition's digest
  size_t records(uint8_t db, uint32_t partition) const {
    return table_->record_count(db, partition);
  }
  // Records without a value.
  size_t tombstones(uint8_t db, uint32_t partition) const {
    return table_->record_count(db, partition) - table_->live_count(db, partition);
  }
  const cluster::FrontierProtocol* frontier() const { return frontier_.get(); }
  const cluster::FlushMarks& marks() const { return *marks_; }

 private:
  struct ReactorState;
  struct Connection;

  // From a start to a clean stop (sim_node_stop.cc).
  enum class Course : uint8_t { kJoins, kRuns, kQuiesces, kLeaves };

  Now now() const;
  void set_coordination(cluster::Coordination coordination);
  void begin_joining();
  void look_at_joining();
  void leave_peers();
  void look_at_stopping(std::function<void()> ended);
  bool hear_of_stop(size_t reactor, cluster::LinkIndex from, const cluster::Frame& frame);
  bool begin_session();
  bool find_history();
  void keep_history(uint64_t number, const std::string& encoded);
  void look_at_history(size_t reactor);
  void meet_new_members(size_t reactor);
  cluster::MemberIndex member_of(size_t node);
  void open_tables();
  void start_reactors();
  void after_input(size_t reactor);
  void flush_effects(size_t reactor);
  void start_loads(size_t reactor);
  void flush_clients(size_t reactor);
  void store_marks();
  void check_clock();
  void arm_timer(size_t reactor);
  void on_timer(size_t reactor);
  struct CommitLine;  // below
  // Of the journals (sim_node_journal.cc).
  bool open_stores(bool* damaged);
  void look_at_journal(CommitLine& line);
  void settle_doubt(CommitLine& line);
  void schedule_step(CommitLine& line, uint64_t delay_us);
  void step_checkpoint(CommitLine& line);
  void recover_checkpoint(CommitLine& line, const Status& failure);
  void finish_checkpoints();
  bool complete_checkpoint(CommitLine& line);
  bool close_journals();
  void tear_batch();
  void schedule_commit(CommitLine& line);
  void commit(CommitLine& line);
  void sync(CommitLine& line);
  void renew_incarnation();
  void judge_kept_trees();
  bool keep_trees(bool all);
  void tell_round(CommitLine& line, bool ok);
  void reopen_later(CommitLine& line);
  void salvage_if_damaged();
  void salvage();
  // Runs `input` now, or when the pause is over; never in another session than this one.
  void when_awake(std::function<void()> input);
  void later(uint64_t delay_us, std::function<void()> input);

  const World world_;
  const size_t index_;
  Rng rng_;
  SimDisk disk_, hint_disk_;
  SimDisk::Copy copy_, hint_copy_;
  std::string history_on_disk_, history_copy_;
  cluster::NodeId id_ = 0;
  cluster::CoordinatorOptions options_;
  std::shared_ptr<const cluster::ClusterView> view_;
  int64_t skew_ms_ = 0;
  uint64_t paused_until_us_ = 0;
  uint64_t incarnation_ = 0;
  std::atomic<uint64_t> renewed_incarnation_{0};
  Hlc highest_reading_;   // of all sessions
  uint64_t session_ = 0;  // counts starts and deaths
  uint64_t steady_offset_us_ = 0;
  uint64_t next_connection_ = 1;

  // Of a session.
  std::vector<cluster::MemberIndex> member_of_node_;
  size_t members_seen_ = 0;  // that stand there
  Course course_ = Course::kRuns;
  uint64_t course_until_us_ = 0;
  size_t peers_that_do_not_know_ = 0;
  std::unique_ptr<cluster::AuthorTable> authors_;
  std::unique_ptr<cluster::HybridClock> clock_;
  std::unique_ptr<cluster::FlushMarks> marks_;
  std::unique_ptr<cluster::WholeReplicas> whole_;
  uint64_t commits_ = 0;
  std::string last_roots_;  // of a clean stop before
  std::unique_ptr<cluster::CleanExchanges> exchanges_;
  std::unique_ptr<cluster::Claims> claims_;
  std::unique_ptr<cluster::SharedHistory> history_;
  std::unique_ptr<cluster::FrontierProtocol> frontier_;
  std::unique_ptr<cluster::LostCopies> losses_;
  std::unique_ptr<server::ScriptLibrary> scripts_;
  bool salvaging_ = false;
  std::unique_ptr<cluster::StoredRecordCodec> codec_;
  std::unique_ptr<engine::ObjectTable> table_, hint_table_;
  std::unique_ptr<cluster::Hints> hints_;
  std::unique_ptr<server::SessionFacts> facts_;
  cluster::NodeParts parts_;
  std::vector<std::unique_ptr<ReactorState>> reactors_;
  std::map<uint64_t, std::unique_ptr<Connection>> connections_;
  // What stands for the two commit threads, and those that make checkpoints.
  struct CommitLine {
    SimNode* node;
    bool hinted;
    std::unique_ptr<engine::Store> store = {};  // null: memory alone
    engine::JournaledStore* journal = nullptr;  // the same; null where it has no journal
    std::unique_ptr<engine::Checkpoint> checkpoint = {};
    bool commit_scheduled = false, sync_scheduled = false, step_scheduled = false;

    engine::ObjectTable& table() const { return hinted ? *node->hint_table_ : *node->table_; }
  };
  CommitLine object_line_{this, false}, hint_line_{this, true};
  size_t loads_open_ = 0;
  uint64_t marks_requested_ = 0;
  std::string inspected_bytes_;
  cluster::Object inspected_;
};

}  // namespace kvorum::sim
