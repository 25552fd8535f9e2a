// SPDX-License-Identifier: Apache-2.0
#include "server/membership/cluster_file.h"

#include <fmt/format.h>

#include <algorithm>

namespace kvorum::server {
namespace {

using cluster::Change;
using cluster::ChangeKind;
using cluster::ClusterView;
using cluster::KeyspacePolicy;
using cluster::Member;
using cluster::MemberIndex;

const Member* find_founder(const Config& file, std::string_view name) {
  for (const FounderConfig& founder : file.cluster.founders) {
    if (founder.member.name == name) return &founder.member;
  }
  return nullptr;
}

std::string place_text(const Member& member) {
  const auto or_none = [](const std::string& word) { return word.empty() ? "none" : word; };
  return fmt::format("rack {}, zone {}", or_none(member.rack), or_none(member.zone));
}

// ---- policies

const char* conflicts_text(const KeyspacePolicy& policy) {
  return policy.conflicts == cluster::ConflictPolicy::kLww ? "lww" : "siblings";
}
const char* writes_text(const KeyspacePolicy& policy) {
  return policy.writes_when_short == cluster::WritesWhenShort::kHint ? "hint" : "reject";
}
const char* reads_text(const KeyspacePolicy& policy) {
  return policy.reads_when_short == cluster::ReadsWhenShort::kFail ? "fail" : "serve";
}

// `n 3 -> 5, w 2 -> 3`
std::string policy_difference(const KeyspacePolicy& is, const KeyspacePolicy& wanted) {
  std::vector<std::string> parts;
  const auto look = [&](const char* what, const auto& from, const auto& to) {
    if (from != to) parts.push_back(fmt::format("{} {} -> {}", what, from, to));
  };
  look("n", is.n, wanted.n);
  look("r", is.r, wanted.r);
  look("w", is.w, wanted.w);
  look("conflicts", std::string(conflicts_text(is)), conflicts_text(wanted));
  look("sloppy", is.sloppy, wanted.sloppy);
  look("writes_when_short", std::string(writes_text(is)), writes_text(wanted));
  look("reads_when_short", std::string(reads_text(is)), reads_text(wanted));
  look("name", is.name, wanted.name);
  return fmt::format("{}", fmt::join(parts, ", "));
}

// `database 1`, `databases 0-15`
std::string databases_text(unsigned first, unsigned last) {
  return first == last ? fmt::format("database {}", first)
                       : fmt::format("databases {}-{}", first, last);
}

// Databases beside each other that differ in the same way share a line.
void compare_policies(const Config& file, const ClusterView& view, FileDifferences* found) {
  std::string open;  // what differs since `first`
  unsigned first = 0;
  for (unsigned db = 0; db <= kKeyspacesMax; ++db) {
    std::string differs;
    if (db < kKeyspacesMax) {
      KeyspacePolicy wanted = file.keyspaces[db];
      wanted.db = static_cast<uint8_t>(db);
      differs = policy_difference(view.keyspaces[db], wanted);
      if (!differs.empty()) {
        Change change;
        change.kind = ChangeKind::kPolicy;
        change.policy = wanted;
        found->changes.push_back(std::move(change));
      }
    }
    if (differs == open) continue;
    if (!open.empty()) found->lines.push_back(databases_text(first, db - 1) + ": " + open);
    open = std::move(differs);
    first = db;
  }
}

// ---- members

void compare_member(const Member& is, const Member& wanted, FileDifferences* found) {
  Change change;
  change.member = is.id;
  if (is.weight != wanted.weight) {
    found->lines.push_back(fmt::format("{}: weight {} -> {}", is.name, is.weight, wanted.weight));
    change.kind = ChangeKind::kWeight;
    change.described = {};
    change.described.weight = wanted.weight;
    found->changes.push_back(change);
  }
  if (is.rack != wanted.rack || is.zone != wanted.zone) {
    found->lines.push_back(
        fmt::format("{}: {} -> {}", is.name, place_text(is), place_text(wanted)));
    change.kind = ChangeKind::kPlace;
    change.described = {};
    change.described.rack = wanted.rack;
    change.described.zone = wanted.zone;
    found->changes.push_back(change);
  }
  if (!wanted.peer.empty() && wanted.peer != is.peer) {
    found->lines.push_back(
        fmt::format("{}: its peer address is {}, and {} in the file: it tells its own when it is "
                    "started with another one",
                    is.name, is.peer.to_text(), wanted.peer.to_text()));
  }
}

void compare_members(const Config& file, const ClusterView& view, FileDifferences* found) {
  for (const FounderConfig& founder : file.cluster.founders) {
    const Member& wanted = founder.member;
    const MemberIndex index = view.find_present(wanted.name);
    if (index != cluster::kNoMember && view.members[index].is_placed()) {
      compare_member(view.members[index], wanted, found);
      continue;
    }
    const bool leaves = index != cluster::kNoMember;
    found->lines.push_back(leaves
                               ? fmt::format("{} is leaving, and a member in the file", wanted.name)
                               : fmt::format("{} is no member, and one in the file", wanted.name));
    found->joins.push_back(wanted.name);
  }
  for (const Member& member : view.members) {
    if (!member.is_placed() || find_founder(file, member.name) != nullptr) continue;
    found->lines.push_back(fmt::format("{} is a member, and none in the file", member.name));
    found->leaves.push_back(member.name);
  }
}

const char* name_of(Partitioner partitioner) {
  return partitioner == Partitioner::kMd5 ? "md5" : "slots";
}

}  // namespace

std::string founded_otherwise(const FoundedShape& founded, const Config& file) {
  const auto differs = [](const char* what, const auto& was, const auto& is) {
    return fmt::format("was founded with {} {}, the configuration says {}: that cannot change",
                       what, was, is);
  };
  const ClusterConfig& cluster = file.cluster;
  if (founded.cluster_name != cluster.name) {
    return differs("cluster.name", founded.cluster_name, cluster.name);
  }
  if (founded.partitions != cluster.partitions) {
    return differs("cluster.partitions", founded.partitions, cluster.partitions);
  }
  if (founded.partitioner != cluster.partitioner) {
    return differs("cluster.partitioner", name_of(founded.partitioner),
                   name_of(cluster.partitioner));
  }
  return {};
}

FileDifferences compare_file(const Config& file, const ClusterView& view) {
  FileDifferences found;
  found.never =
      founded_otherwise({view.cluster_name, view.ring.partitions(), view.partitioner}, file);
  if (!found.never.empty()) {
    found.never.insert(0, "the cluster ");
    return found;
  }
  if (file.cluster.names_members) compare_members(file, view, &found);
  compare_policies(file, view, &found);
  return found;
}

}  // namespace kvorum::server
