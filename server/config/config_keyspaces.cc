// SPDX-License-Identifier: Apache-2.0
#include "server/config/config_keyspaces.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>

#include "cluster/ring/founding.h"
#include "server/config/config_kinds.h"

namespace kvorum::server {
namespace {

using cluster::ConflictPolicy;
using cluster::KeyspacePolicy;
using cluster::ReadsWhenShort;
using cluster::WritesWhenShort;

constexpr uint8_t kCopiesMax = 16;
constexpr std::string_view kDefault = "default";

constexpr std::array<NamedValue<ConflictPolicy>, 2> kConflicts{
    {{"siblings", ConflictPolicy::kSiblings}, {"lww", ConflictPolicy::kLww}}};
constexpr std::array<NamedValue<WritesWhenShort>, 2> kWritesWhenShort{
    {{"hint", WritesWhenShort::kHint}, {"reject", WritesWhenShort::kReject}}};
constexpr std::array<NamedValue<ReadsWhenShort>, 2> kReadsWhenShort{
    {{"fail", ReadsWhenShort::kFail}, {"serve", ReadsWhenShort::kServe}}};

// Those of an entry beside its db.
constexpr ConfigRow<KeyspacePolicy> kRows[] = {
    config_row<NumberKind<uint8_t>{1, kCopiesMax}, &KeyspacePolicy::n>("n"),
    config_row<NumberKind<uint8_t>{1, kCopiesMax}, &KeyspacePolicy::r>("r"),
    config_row<NumberKind<uint8_t>{1, kCopiesMax}, &KeyspacePolicy::w>("w"),
    config_row<ChoiceKind<kConflicts>{}, &KeyspacePolicy::conflicts>("conflicts"),
    config_row<FlagKind{}, &KeyspacePolicy::sloppy>("sloppy"),
    config_row<ChoiceKind<kWritesWhenShort>{}, &KeyspacePolicy::writes_when_short>(
        "writes_when_short"),
    config_row<ChoiceKind<kReadsWhenShort>{}, &KeyspacePolicy::reads_when_short>(
        "reads_when_short"),
};

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
  read_rows<KeyspacePolicy>(section, kRows, policy);
  check_quorum(section, "r", policy.r, policy.n);
  check_quorum(section, "w", policy.w, policy.n);
}

ConfigSection section_of(const ConfigSection& keyspaces, const std::string& name) {
  std::vector<std::string_view> keys = names_of<KeyspacePolicy>(kRows);
  keys.insert(keys.begin(), "db");
  return keyspaces.section(name, keys);
}

// The database number of a keyspace other than default; 0 if there is none to use.
uint8_t read_db(const ConfigSection& section, const std::string& name) {
  constexpr uint8_t kNone = 0, kDbMax = kKeyspacesMax - 1;
  uint8_t db = kNone;
  if (!section.has("db")) {
    section.problems()->add(section.mark(),
                            fmt::format("keyspaces.{}: db is missing; give it a database "
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

void KeyspacesKind::read(const ConfigSection& top, std::string_view key,
                         Policies& keyspaces) const {
  const ConfigSection section =
      ConfigSection::with_any_key(top.child(key), top.path_of(key), top.problems());
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
    policy.db = read_db(entry, name);
    if (policy.db == 0) continue;
    const auto [owner, is_new] = owners.try_emplace(policy.db, name);
    if (is_new) {
      keyspaces[policy.db] = policy;
    } else {
      entry.problem("db", fmt::format("{} is already that of '{}'", policy.db, owner->second));
    }
  }
}

ShownValue KeyspacesKind::shown(const Policies& keyspaces) const {
  ShownValue entries = ShownValue::map();
  for (const KeyspacePolicy& policy : keyspaces) {
    const bool is_default = policy.db == 0;
    if (!is_default && policy.name == keyspaces[0].name) continue;
    ShownValue entry = ShownValue::map(true);
    if (!is_default) entry.add(ShownValue::word("db"), ShownValue::word(std::to_string(policy.db)));
    show_rows<KeyspacePolicy>(kRows, policy, &entry);
    entries.add(is_default ? ShownValue::word(kDefault) : ShownValue::text(policy.name),
                std::move(entry));
  }
  return entries;
}

std::vector<std::string> policy_differences(const KeyspacePolicy& is,
                                            const KeyspacePolicy& wanted) {
  std::vector<std::string> found;
  for (const ConfigRow<KeyspacePolicy>& row : kRows) {
    if (row.same(is, wanted)) continue;
    found.push_back(
        fmt::format("{} {} -> {}", row.path, row.shown(is).letters, row.shown(wanted).letters));
  }
  if (is.name != wanted.name) found.push_back(fmt::format("name {} -> {}", is.name, wanted.name));
  return found;
}

}  // namespace kvorum::server
