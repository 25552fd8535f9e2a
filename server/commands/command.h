// SPDX-License-Identifier: Apache-2.0
// A command's room: one constexpr row plus one pure handler beside it in the family's file. The row
// is the source for routing, arity errors, COMMAND and docs/COMMANDS.md. A handler sees the words,
// the session's state and some facts of the node, and fills a Plan; never a socket, the coordinator
// or the engine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ascii.h"
#include "base/function_ref.h"
#include "base/siphash.h"
#include "base/time.h"
#include "cluster/ring/cluster_view.h"
#include "protocol/error_texts.h"
#include "server/commands/plan.h"
#include "server/commands/pub_sub_desk.h"
#include "server/commands/session_state.h"
#include "server/status/node_status.h"
#include "server/status/traffic_counts.h"

namespace kvorum::server {

class Monitors;
class WatchDesk;
class ScriptLibrary;
struct Logbook;
class Tracking;

using Words = std::span<const std::string_view>;

// CLIENT PAUSE: commands wait until then, steady microseconds; 0: none does.
struct ClientPause {
  uint64_t until_us = 0;
  bool writes_only = false;
};

// What handlers may ask of the node they run in.
class NodeFacts {
 public:
  virtual ~NodeFacts() = default;
  virtual const cluster::ClusterView& view() const = 0;
  virtual NodeStatus status() = 0;
  virtual uint64_t partition_digest(uint8_t keyspace, uint32_t partition) const = 0;
  virtual uint64_t partition_records(uint8_t keyspace, uint32_t partition) const = 0;
  // Of this moment, as Unix time.
  virtual uint64_t wall_us() = 0;
  // The sessions of this reactor.
  virtual void each_session(FunctionRef<void(const SessionState&)> fn) = 0;
  // Of this reactor: ends the connection; lets its clients wait, or go on.
  virtual void close_session(uint64_t slot) = 0;
  virtual void pause_clients(const ClientPause& pause) = 0;
  // Of context tokens: the first mints, all are accepted.
  virtual std::span<const MacKey> token_keys() const = 0;
  // Any of them is right; none: nobody is asked.
  virtual std::span<const std::string> passwords() const = 0;
  // How long an attempt to log in from that address waits, and that one has failed.
  virtual uint64_t login_delay_us(std::string_view peer_address) = 0;
  virtual void login_failed(std::string_view peer_address) = 0;
  virtual uint64_t value_bytes_max() const = 0;
  // Of memcached's clients, as they reckon it.
  virtual uint64_t item_bytes_max() const = 0;
  // As NodeServices says (server/status/node_status.h).
  virtual std::shared_ptr<const Config> config() const = 0;
  virtual void change_config(FunctionRef<void(Config& config)> edit) = 0;
  virtual uint32_t clients_possible(uint32_t wanted) const = 0;
  // False for a policy that is none, or that can have no effect here.
  virtual bool can_evict_by(std::string_view policy) const = 0;
  // How often this node's copy of the key is used (0: it has none); nothing where eviction does not
  // go by that.
  virtual std::optional<uint8_t> use_count(uint8_t keyspace, std::string_view key) const = 0;
  // This node has no room for more than it holds; and keeps a copy of the key, too, so that it
  // would refuse to store it.
  virtual bool is_full() const { return false; }
  virtual bool is_full_for(uint8_t /*keyspace*/, std::string_view /*key*/) const { return false; }
  // What this node's own copy of the key is, where it has one in memory; else nothing is shown.
  virtual void show_own_copy(uint8_t /*keyspace*/, std::string_view /*key*/,
                             FunctionRef<void(const cluster::Object&)> /*fn*/) const {}
  virtual uint64_t random() = 0;
  virtual TrafficCounts& traffic() = 0;
  // CONFIG RESETSTAT and memcached's `stats reset`: counts are shown from now on.
  virtual void reset_statistics() = 0;
  // How long calls took since then, by the number of the command.
  virtual std::vector<CallTimes> call_times() = 0;
  // Null where the membership never changes.
  virtual MembershipDesk* membership() = 0;
  virtual ScriptLibrary& scripts() = 0;
  // Ends what runs on threads of their own; how many that were.
  virtual size_t end_long_scripts() = 0;
  virtual PubSubDesk& pub_sub() = 0;
  virtual Logbook& logbook() = 0;
  // Of the keys that clients with CLIENT TRACKING have read; 0: no bound.
  virtual size_t tracked_keys_max() const { return 0; }
  virtual void set_tracked_keys_max(size_t) {}
  // All null in a script.
  virtual Tracking* tracking() { return nullptr; }
  virtual Monitors* monitors() { return nullptr; }
  virtual WatchDesk* watchers() { return nullptr; }
};

struct CommandCall {
  Words words;
  const CommandRow& row;
  SessionState& session;
  NodeFacts& facts;
  uint64_t now_ms;  // the hybrid clock: deadlines are counted from it
  Now now;
};

using Handler = void (*)(const CommandCall& call, Plan& plan);

enum CommandFlag : uint32_t {
  kWrite = 1u << 0,
  kReadonly = 1u << 1,
  kDenyOom = 1u << 2,
  kAdmin = 1u << 3,
  kFast = 1u << 4,
  kNoAuth = 1u << 5,  // allowed before authentication
  kLoading = 1u << 6,
  kStale = 1u << 7,
  kNoScript = 1u << 8,
  kContainer = 1u << 9,  // has subcommands: rows named "container|subcommand"
  kBarrier = 1u << 10,   // runs alone in its connection's pipeline
  kUnqueued = 1u << 11,  // runs at once also between MULTI and EXEC
  kPubSub = 1u << 12,
  kSubscribed = 1u << 13,   // allowed to a RESP2 client that is subscribed
  kMayWrite = 1u << 14,     // or have an effect elsewhere
  kMovableKeys = 1u << 15,  // as many as the third word says, behind it
  kNoMulti = 1u << 16,      // may not be queued between MULTI and EXEC
};

enum class Group : uint8_t {
  kString,
  kGeneric,
  kConnection,
  kServer,
  kScripting,
  kTransactions,
  kCluster,
  kPubSub,
  kQuorum
};

// What COMMAND INFO tells of a command, as Redis does, where it does not follow from the row. Words
// with blanks between them.
struct RowHints {
  std::string_view keys = {};  // what is done to the keys; else "RO access" or "RW access update"
  std::string_view last_keys = {};  // to those behind the first, where that is something else
  std::string_view notes = {};      // about the keys
  std::string_view tips = {};       // to those who route commands among nodes
};

// Of several families.
namespace hint {
inline constexpr RowHints kUncertain{.tips = "nondeterministic_output"};
inline constexpr RowHints kUncertainOrder{.tips = "nondeterministic_output_order"};
inline constexpr RowHints kAsksShards{
    .tips = "nondeterministic_output request_policy:all_shards response_policy:special"};
inline constexpr RowHints kTellsNodes{.tips =
                                          "request_policy:all_nodes response_policy:all_succeeded"};
inline constexpr RowHints kTellsShards{
    .tips = "request_policy:all_shards response_policy:all_succeeded"};
inline constexpr RowHints kTellsOneShard{
    .tips = "request_policy:all_shards response_policy:one_succeeded"};
inline constexpr RowHints kLooks{.keys = "RO"};
inline constexpr RowHints kUpdates{.keys = "RW update"};
inline constexpr RowHints kReplaces{.keys = "OW update"};
inline constexpr RowHints kInserts{.keys = "OW insert"};
inline constexpr RowHints kMayChange{
    .notes = "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE"};
inline constexpr RowHints kMayRead{
    .notes = "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS"};
}  // namespace hint

struct CommandRow {
  std::string_view name;  // lower case; subcommands as "config|get"
  int arity;              // Redis's convention: negative means "at least"; the name counts
  uint32_t flags;
  int first_key, last_key, key_step;
  Group group;
  std::string_view since;
  std::string_view arguments;  // syntax, as in the documentation
  std::string_view summary;
  std::string_view complexity;
  Handler handler;
  const RowHints* hints = nullptr;
  uint16_t number = 0;         // its place in the table, which sets it and the next one
  bool may_take_long = false;  // by its complexity: each call is measured

  bool is_subcommand() const { return name.find('|') != std::string_view::npos; }
};

// Printable, without blanks: what CLIENT SETNAME takes.
bool is_client_name(std::string_view name);

std::span<const CommandRow> string_commands();
std::span<const CommandRow> string_part_commands();
std::span<const CommandRow> several_string_commands();
std::span<const CommandRow> bit_commands();
std::span<const CommandRow> bit_field_commands();
std::span<const CommandRow> matching_commands();
std::span<const CommandRow> object_commands();
std::span<const CommandRow> copy_commands();
std::span<const CommandRow> dump_commands();
std::span<const CommandRow> counter_commands();
std::span<const CommandRow> generic_commands();
std::span<const CommandRow> expiry_commands();
std::span<const CommandRow> keyspace_commands();
std::span<const CommandRow> connection_commands();
std::span<const CommandRow> client_commands();
std::span<const CommandRow> server_commands();
std::span<const CommandRow> scripting_commands();
std::span<const CommandRow> function_commands();
std::span<const CommandRow> cluster_commands();
std::span<const CommandRow> ring_commands();
std::span<const CommandRow> monitor_commands();
std::span<const CommandRow> config_commands();
std::span<const CommandRow> client_control_commands();
std::span<const CommandRow> logbook_commands();
std::span<const CommandRow> debug_commands();
std::span<const CommandRow> transaction_commands();
std::span<const CommandRow> pub_sub_commands();
std::span<const CommandRow> tracking_commands();
std::span<const CommandRow> introspection_commands();
std::span<const CommandRow> document_commands();
std::span<const CommandRow> quorum_commands();
std::span<const CommandRow> operator_commands();
std::span<const CommandRow> membership_commands();

}  // namespace kvorum::server
