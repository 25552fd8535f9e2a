// SPDX-License-Identifier: Apache-2.0
#include "server/membership/cluster_file.h"

#include <fmt/format.h>

#include "server/config/config_keyspaces.h"

namespace kvorum::server {
namespace {

using cluster::Change;
using cluster::ChangeKind;
using cluster::ClusterView;
using cluster::KeyspacePolicy;
using cluster::Member;
using cluster::MemberIndex;

std::string place_text(const Member& member) {
  const auto or_none = [](const std::string& word) { return word.empty() ? "none" : word; };
  return fmt::format("rack {}, zone {}", or_none(member.rack), or_none(member.zone));
}

// ---- policies

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
      differs = fmt::format("{}", fmt::join(policy_differences(view.keyspaces[db], wanted), ", "));
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
    if (!member.is_placed() || file.cluster.find_founder(member.name) != nullptr) continue;
    found->lines.push_back(fmt::format("{} is a member, and none in the file", member.name));
    found->leaves.push_back(member.name);
  }
}

}  // namespace

std::string founded_otherwise(const FoundedShape& founded, const Config& file) {
  const ClusterConfig& cluster = file.cluster;
  if (founded.cluster_name != cluster.name) {
    return founded_with("cluster.name", founded.cluster_name, cluster.name);
  }
  if (founded.partitions != cluster.partitions) {
    return founded_with("cluster.partitions", std::to_string(founded.partitions),
                        std::to_string(cluster.partitions));
  }
  if (founded.partitioner != cluster.partitioner) {
    return founded_with("cluster.partitioner", partitioner_text(founded.partitioner),
                        partitioner_text(cluster.partitioner));
  }
  return {};
}

std::string founded_with(std::string_view what, std::string_view was, std::string_view is) {
  return fmt::format("was founded with {} {}, the configuration says {}: that cannot change", what,
                     was, is);
}

std::string directory_refusal(std::string_view directory, std::string_view founded) {
  return fmt::format("data directory {} {}; set it back, or use an empty directory", directory,
                     founded);
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
