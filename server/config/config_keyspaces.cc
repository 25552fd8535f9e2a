// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <map>

#include "cluster/ring/founding.h"
#include "server/config/config_sections.h"
#include "server/config/config_values.h"

namespace kvorum::server {
namespace {

using cluster::ConflictPolicy;
using cluster::KeyspacePolicy;
using cluster::ReadsWhenShort;
using cluster::WritesWhenShort;

constexpr uint8_t kCopiesMax = 16;
constexpr std::string_view kDefault = "default";

// A quorum of more replicas than there are copies can never be reached.
void check_quorum(const ConfigSection& section, std::string_view key, uint8_t quorum, uint8_t n) {
  if (quorum <= n) return;
  if (section.has(key)) {
    section.problem(key, fmt::format("{} is more than n = {}: no {} can wait for more replicas "
                                     "than there are copies",
                                     quorum, n, key == "r" ? "read" : "write"));
  } else if (section.has("n")) {
    section.problem("n",
                    fmt::format("{} is less than {} = {}, which is inherited", n, key, quorum));
  }
}

void read_policy(const ConfigSection& section, KeyspacePolicy& policy) {
  const Range<uint8_t> copies{1, kCopiesMax};
  section.number<uint8_t>("n", copies, policy.n);
  section.number<uint8_t>("r", copies, policy.r);
  section.number<uint8_t>("w", copies, policy.w);
  check_quorum(section, "r", policy.r, policy.n);
  check_quorum(section, "w", policy.w, policy.n);
  section.choice<ConflictPolicy>(
      "conflicts", {{"siblings", ConflictPolicy::kSiblings}, {"lww", ConflictPolicy::kLww}},
      policy.conflicts);
  section.flag("sloppy", policy.sloppy);
  section.choice<WritesWhenShort>(
      "writes_when_short", {{"hint", WritesWhenShort::kHint}, {"reject", WritesWhenShort::kReject}},
      policy.writes_when_short);
  section.choice<ReadsWhenShort>(
      "reads_when_short", {{"fail", ReadsWhenShort::kFail}, {"serve", ReadsWhenShort::kServe}},
      policy.reads_when_short);
}

ConfigSection section_of(const ConfigSection& keyspaces, const std::string& name) {
  return keyspaces.section(
      name, {"db", "n", "r", "w", "conflicts", "sloppy", "writes_when_short", "reads_when_short"});
}

// The database number of a keyspace other than default; 0 if there is none to use.
uint8_t read_db(const ConfigSection& section, const std::string& name, ProblemList* problems) {
  constexpr uint8_t kNone = 0, kDbMax = kKeyspacesMax - 1;
  uint8_t db = kNone;
  if (!section.has("db")) {
    problems->add(section.mark(), fmt::format("keyspaces.{}: db is missing; give it a database "
                                              "number from 1 to {}",
                                              name, kDbMax));
    return kNone;
  }
  section.number<uint8_t>("db", {0, kDbMax}, db);
  if (section.child("db").IsScalar() && section.child("db").Scalar() == "0") {
    section.problem("db", fmt::format("0 belongs to 'default'; use 1 to {}", kDbMax));
  }
  return db;
}

}  // namespace

void read_keyspaces(const ConfigSection& top, ProblemList* problems,
                    std::array<KeyspacePolicy, kKeyspacesMax>& keyspaces) {
  const ConfigSection section =
      ConfigSection::with_any_key(top.child("keyspaces"), "keyspaces", problems);
  keyspaces = cluster::Founding::default_keyspaces();
  if (section.has(kDefault)) {
    const ConfigSection entry = section_of(section, std::string(kDefault));
    read_policy(entry, keyspaces[0]);
    uint8_t db = 0;
    entry.number<uint8_t>("db", {0, 0}, db);
  }
  for (uint8_t db = 1; db < kKeyspacesMax; ++db) {
    keyspaces[db] = keyspaces[0];
    keyspaces[db].db = db;
  }
  std::map<uint8_t, std::string> owners;
  for (const std::string& name : section.keys()) {
    if (name == kDefault) continue;
    if (!is_plain_name(name)) {
      section.problem(name, "a name is 1 to 64 letters, digits, '.', '_' and '-'");
    }
    const ConfigSection entry = section_of(section, name);
    KeyspacePolicy policy = keyspaces[0];
    read_policy(entry, policy);
    policy.name = name;
    policy.db = read_db(entry, name, problems);
    if (policy.db == 0) continue;
    const auto [owner, is_new] = owners.try_emplace(policy.db, name);
    if (is_new) {
      keyspaces[policy.db] = policy;
    } else {
      entry.problem("db", fmt::format("{} is already that of '{}'", policy.db, owner->second));
    }
  }
}

}  // namespace kvorum::server
