// SPDX-License-Identifier: Apache-2.0
#include "server/status/problems.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/status/node_status.h"

namespace kvorum::server {
namespace {

using Problems = std::vector<NodeProblem>;

constexpr double kDiskFullPart = 0.9, kHintsFullPart = 0.5;
constexpr uint64_t kJournalPressedMs = 3000;
constexpr uint64_t kFrontierLateMs = 15 * 60 * 1000;

std::string ask(const NodeStatus& status, const char* verb) {
  return fmt::format("kvorum {} --admin {}", verb, status.admin);
}

void life(const NodeStatus& status, Problems* out) {
  if (status.stopping) {
    out->push_back({"stopping", "", "this node is stopping", "it takes no new requests",
                    "ask another node", true});
  } else if (status.loading) {
    out->push_back({"loading", "", "this node starts: it reads its data directory",
                    "it takes no requests yet", ask(status, "status"), true});
  } else if (status.joining) {
    out->push_back({"joining", "", "this node has just started: its links come up",
                    "it takes no requests yet", ask(status, "status"), true});
  } else if (status.waiting) {
    out->push_back({"not_admitted", "", "this node is no member of the cluster",
                    "it answers keyed commands -CLUSTERDOWN",
                    "start it under a member's name with --name", true});
  } else if (status.has_departed) {
    out->push_back({"departed", "", "this node is no member of the cluster any more",
                    "it answers keyed commands -CLUSTERDOWN",
                    "stop it; with an empty data directory it can join again", true});
  }
}

void store(const NodeStatus& status, Problems* out) {
  if (status.store_failed) {
    out->push_back({"store_failed", "", "the store takes no writes: " + status.store_error,
                    "other nodes take this one's writes; where there are none, -MISCONF",
                    "look at the disk: df -h " + status.data_directory, true});
  }
  const uint64_t used = status.disk_bytes - std::min(status.disk_free_bytes, status.disk_bytes);
  const double part = status.disk_bytes == 0
                          ? 0
                          : static_cast<double>(used) / static_cast<double>(status.disk_bytes);
  if (part > kDiskFullPart) {
    out->push_back({"disk_full", "", fmt::format("the disk is {:.0f} % full", 100 * part),
                    "a full disk stops this node's writes",
                    "make room: du -sh " + status.data_directory});
  }
}

void journals(const NodeStatus& status, Problems* out) {
  for (const JournalStatus& journal : status.journals) {
    const engine::JournalStats& stats = journal.stats;
    const double percent = 100 * stats.used_part();
    const std::string of(journal.of);
    if (!stats.store_error.empty()) {
      out->push_back(
          {"checkpoint_failed", of,
           fmt::format("the {} cannot be put from their journal into their store: {}", of,
                       stats.store_error),
           fmt::format("the journal, {:.0f} % full, takes writes until it is full", percent),
           "look at the disk: df -h " + status.data_directory});
    } else if (stats.pressed_ms >= kJournalPressedMs) {
      out->push_back({"journal_full", of,
                      fmt::format("the journal of the {} is {:.0f} % full, and the checkpoint that "
                                  "empties it cannot keep up",
                                  of, percent),
                      "writes are slowed down",
                      "give the node a faster disk, or a larger engine.journal"});
    }
  }
}

void quorums(const NodeStatus& status, Problems* out) {
  const QuorumHealth& quorum = status.quorum;
  const uint32_t all = status.partitions;
  const bool here = quorum.refused_here != 0;
  if (quorum.reads_refused != 0) {
    out->push_back({"reads_short", "",
                    fmt::format("reads are short of quorum for {} of {} partitions (keyspace {})",
                                quorum.reads_refused, all, quorum.reading),
                    "they answer -NOQUORUM", "start the members that are down", here});
  }
  if (quorum.writes_refused != 0) {
    out->push_back({"writes_short", "",
                    fmt::format("writes are short of quorum for {} of {} partitions (keyspace {})",
                                quorum.writes_refused, all, quorum.writing),
                    "they answer -NOQUORUM", "start the members that are down", here});
  }
  if (quorum.writes_softened != 0) {
    out->push_back({"writes_softened", "",
                    fmt::format("writes are short of quorum for {} of {} partitions (keyspace {})",
                                quorum.writes_softened, all, quorum.writing),
                    "they are taken with fewer copies than w, the others wait as hints",
                    "start the members that are down"});
  }
  if (quorum.reads_served != 0) {
    out->push_back({"reads_served_short", "",
                    fmt::format("reads are short of quorum for {} of {} partitions (keyspace {})",
                                quorum.reads_served, all, quorum.reading),
                    "they are answered by fewer than r nodes and may be old",
                    "start the members that are down"});
  }
}

std::string seconds_text(const MemberStatus& member) {
  return member.seen.since_us == 0 ? std::string("since the start")
                                   : fmt::format("for {:.0f} s", member.state_seconds);
}

void members(const NodeStatus& status, Problems* out) {
  if (status.has_departed) return;  // nobody counts on it
  for (const MemberStatus& member : status.members) {
    if (const std::string clock = clock_problem(member); !clock.empty()) {
      out->push_back({"clock_off", member.name, fmt::format("{}: {}", member.name, clock),
                      "which write is the last (lww), and when keys expire, goes by clocks",
                      "look at the time service of both machines"});
    }
    if (member.self || status.loading || status.joining) continue;
    if (member.state == cluster::PeerState::kUp) {
      if (!member.seen.one_way) continue;
      out->push_back(
          {"member_one_way", member.name, fmt::format("{} has no link to this node", member.name),
           "it does not use this node's copies", "compare the peer addresses in both files"});
    } else if (member.link_refused) {
      out->push_back({"peer_refused", member.name,
                      fmt::format("no link to {}: {}", member.name, member.link_trouble),
                      "for this node it is down", "compare the cluster sections of both files"});
    } else if (member.state == cluster::PeerState::kDown) {
      const std::string why = member.link_trouble.empty() ? "" : ": " + member.link_trouble;
      out->push_back({"member_down", member.name,
                      fmt::format("{} is down {}{}", member.name, seconds_text(member), why),
                      "its copies wait as hints, and one more loss may cost the quorum",
                      "kvorum serve --config FILE --name " + member.name});
    } else {
      const char* const state = cluster::peer_state_name(member.state);
      out->push_back(
          {fmt::format("member_{}", state), member.name,
           fmt::format("{} is {}", member.name, member.reason),
           "requests go around it where they can",
           member.admin.empty() ? "look at its machine" : "kvorum status --admin " + member.admin});
    }
  }
}

void background(const NodeStatus& status, Problems* out) {
  const auto bytes = static_cast<double>(status.hints_bytes);
  const auto bound = static_cast<double>(status.hints_max_bytes);
  if (status.hints_max_bytes != 0 && bytes > kHintsFullPart * bound) {
    out->push_back(
        {"hints_full", "", fmt::format("hints fill {:.0f} % of limits.hints", 100 * bytes / bound),
         "beyond it writes for members that are away are refused", ask(status, "hints")});
  }
  const ReapingStatus& reaping = status.reaping;
  if (!reaping.waits.empty() && reaping.behind_ms > kFrontierLateMs) {
    out->push_back({"frontier_waits", "",
                    fmt::format("the frontier waits for {} min: {}", reaping.behind_ms / 60'000,
                                reaping.waits),
                    "deleted keys are not forgotten and keep their place", ask(status, "status")});
  }
  if (status.copies_not_whole != 0) {
    out->push_back({"copies_not_whole", "",
                    fmt::format("{} partitions of this node are not known to be complete",
                                status.copies_not_whole),
                    "they do not count toward r until they were compared with the others",
                    ask(status, "repair")});
  }
  if (!status.eviction_waits.empty()) {
    out->push_back({"eviction_waits", "", status.eviction_waits, "writes may answer -OOM",
                    "raise engine.memory, or bring back members that are down"});
  }
}

// The first of them is about this node, where it is one of those that do not serve.
void differing_configurations(const NodeStatus& status, Problems* out) {
  bool here = status.configuration_refused;
  for (const std::string& difference : status.differing_configurations) {
    const std::string subject = here ? status.name : difference.substr(0, difference.find(' '));
    out->push_back({"configuration_differs", subject, "configurations differ: " + difference,
                    "what one node has otherwise it answers -CLUSTERDOWN",
                    "give every node the same file, and restart those that have another", here});
    here = false;
  }
}

void configuration(const NodeStatus& status, Problems* out) {
  if (status.peer_port_open) {
    out->push_back({"no_secret", "",
                    fmt::format("the peer port {} is open to other hosts and cluster.secret is "
                                "empty",
                                status.peer),
                    "whoever reaches it can read and write everything",
                    "set cluster.secret to the same 16 or more bytes on every node"});
  }
  if (status.clients_max < status.clients_configured) {
    out->push_back({"clients_lowered", "",
                    fmt::format("the limit of open files allows {} clients, limits.clients says {}",
                                status.clients_max, status.clients_configured),
                    "clients beyond that are refused", "raise it: ulimit -n, or LimitNOFILE="});
  }
}

// What each kind of trouble is found by; the order is that of the list.
constexpr void (*kKinds[])(const NodeStatus&, Problems*) = {
    life, store, journals, quorums, members, background, configuration, differing_configurations};

}  // namespace

std::vector<NodeProblem> node_problems(const NodeStatus& status) {
  Problems found;
  for (const auto kind : kKinds) kind(status, &found);
  std::stable_sort(found.begin(), found.end(), [](const NodeProblem& a, const NodeProblem& b) {
    return a.unready && !b.unready;
  });
  return found;
}

std::string problem_text(const NodeProblem& problem) {
  return fmt::format("{}; {}; next: {}", problem.what, problem.consequence, problem.next);
}

bool any_unready(const std::vector<NodeProblem>& problems) {
  return std::any_of(problems.begin(), problems.end(),
                     [](const NodeProblem& problem) { return problem.unready; });
}

void ProblemTimes::date(std::vector<NodeProblem>* problems, uint64_t now_ms) {
  const MutexLock guard(lock_);
  std::map<Key, uint64_t> present;
  for (NodeProblem& problem : *problems) {
    Key key{problem.code, problem.subject};
    const auto known = since_ms_.find(key);
    problem.since_ms = known == since_ms_.end() ? now_ms : known->second;
    present.emplace(std::move(key), problem.since_ms);
  }
  since_ms_ = std::move(present);
}

}  // namespace kvorum::server
