// SPDX-License-Identifier: Apache-2.0
#include "cluster/ring/configuration.h"

#include <algorithm>
#include <cstdio>

#include "base/check.h"
#include "cluster/ring/keyspace_policy.h"

namespace kvorum::cluster {
namespace {

// The second one has a version of placement behind it, above the first: earlier releases, which
// place in that way alone, refuse it.
constexpr uint8_t kVersion = 1, kPlacedVersion = 2;

// Collects `name value`, where `of` differs.
class Words {
 public:
  void add(bool differs, std::string_view name, std::string_view value) {
    if (!differs) return;
    if (!text_.empty()) text_ += ", ";
    text_.append(name).append(" ").append(value);
  }
  void add_number(uint32_t of, uint32_t than, std::string_view name) {
    add(of != than, name, std::to_string(of));
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void add_places(const MemberPlace& of, const MemberPlace& than, Words& words) {
  words.add_number(of.weight, than.weight, "weight of " + of.name);
  const auto shown = [](const std::string& place) { return place.empty() ? "none" : place; };
  words.add(of.rack != than.rack, "rack of " + of.name, shown(of.rack));
  words.add(of.zone != than.zone, "zone of " + of.name, shown(of.zone));
}

}  // namespace

Configuration configuration_of(const ClusterView& view) {
  Configuration configuration;
  configuration.id_seed = view.cluster_id;
  for (const Member& member : view.members) {
    configuration.members.push_back({member.name, member.weight, member.rack, member.zone});
  }
  configuration.keyspaces = view.keyspaces;
  configuration.placement = view.ring.shape().placement;
  for (uint8_t db = 0; db < kKeyspacesMax; ++db) {
    configuration.keyspaces[db].name.clear();
    configuration.keyspaces[db].db = db;
  }
  return configuration;
}

void encode_configuration(const Configuration& configuration, std::string& out) {
  KVORUM_CHECK(!configuration.members.empty() && configuration.members.size() <= kMembersMax);
  const bool is_placed = configuration.placement > kPlacementUnmended;
  put_u8(out, is_placed ? kPlacedVersion : kVersion);
  put_u64(out, configuration.id_seed);
  put_varint(out, configuration.members.size());
  for (const MemberPlace& member : configuration.members) {
    put_bytes(out, member.name);
    put_u32(out, member.weight);
    put_bytes(out, member.rack);
    put_bytes(out, member.zone);
  }
  for (const KeyspacePolicy& policy : configuration.keyspaces) {
    for (const uint8_t number : {policy.n, policy.r, policy.w}) put_u8(out, number);
    put_u8(out, policy_flags(policy));
  }
  if (is_placed) put_u8(out, configuration.placement);
}

bool decode_configuration(ByteReader& reader, Configuration* configuration) {
  *configuration = {};
  const uint8_t version = reader.u8();
  if (version != kVersion && version != kPlacedVersion) return false;
  configuration->id_seed = reader.u64();
  const uint64_t members = reader.varint();
  if (!reader.ok() || members == 0 || members > kMembersMax) return false;
  for (uint64_t at = 0; at < members && reader.ok(); ++at) {
    MemberPlace& member = configuration->members.emplace_back();
    member.name = reader.bytes();
    member.weight = reader.u32();
    member.rack = reader.bytes();
    member.zone = reader.bytes();
    if (member.weight == 0) return false;
  }
  for (uint8_t db = 0; db < kKeyspacesMax; ++db) {
    KeyspacePolicy& policy = configuration->keyspaces[db];
    policy.db = db;
    policy.n = reader.u8();
    policy.r = reader.u8();
    policy.w = reader.u8();
    set_policy_flags(reader.u8(), policy);
    if (policy.n == 0 || policy.r == 0 || policy.w == 0) return false;
  }
  if (version == kVersion) return reader.ok();
  configuration->placement = reader.u8();
  return reader.ok() && is_raised_placement(configuration->placement);
}

KeyspaceMask differing_keyspaces(const Configuration& a, const Configuration& b) {
  const bool same_owners =
      a.members == b.members && a.id_seed == b.id_seed && a.placement == b.placement;
  if (!same_owners) return kAllKeyspaces;
  KeyspaceMask mask = 0;
  for (uint8_t db = 0; db < a.keyspaces.size(); ++db) {
    if (!(a.keyspaces[db] == b.keyspaces[db])) mask = static_cast<KeyspaceMask>(mask | mask_of(db));
  }
  return mask;
}

KeyspaceMask differing_conflicts(const Configuration& a, const Configuration& b) {
  KeyspaceMask mask = 0;
  for (uint8_t db = 0; db < a.keyspaces.size(); ++db) {
    const bool differs = a.keyspaces[db].conflicts != b.keyspaces[db].conflicts;
    if (differs) mask = static_cast<KeyspaceMask>(mask | mask_of(db));
  }
  return mask;
}

std::string describe_difference(const Configuration& of, const Configuration& than,
                                uint8_t keyspace) {
  KVORUM_CHECK(keyspace < kKeyspacesMax);
  const KeyspacePolicy& policy = of.keyspaces[keyspace];
  const KeyspacePolicy& other = than.keyspaces[keyspace];
  Words words;
  words.add(policy.conflicts != other.conflicts, "conflicts",
            policy.conflicts == ConflictPolicy::kLww ? "lww" : "siblings");
  words.add_number(policy.n, other.n, "n");
  words.add_number(policy.r, other.r, "r");
  words.add_number(policy.w, other.w, "w");
  words.add(policy.sloppy != other.sloppy, "sloppy", policy.sloppy ? "true" : "false");
  words.add(policy.writes_when_short != other.writes_when_short, "writes_when_short",
            policy.writes_when_short == WritesWhenShort::kHint ? "hint" : "reject");
  words.add(policy.reads_when_short != other.reads_when_short, "reads_when_short",
            policy.reads_when_short == ReadsWhenShort::kFail ? "fail" : "serve");
  for (const MemberPlace& member : of.members) {
    for (const MemberPlace& theirs : than.members) {
      if (member.name == theirs.name) add_places(member, theirs, words);
    }
  }
  words.add_number(of.placement, than.placement, "placement");
  char id[17];
  std::snprintf(id, sizeof id, "%016llx", static_cast<unsigned long long>(of.id_seed));
  words.add(of.id_seed != than.id_seed, "cluster id", id);
  return words.take();
}

}  // namespace kvorum::cluster
