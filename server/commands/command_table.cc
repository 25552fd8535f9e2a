// SPDX-License-Identifier: Apache-2.0
#include "server/commands/command_table.h"

#include <array>
#include <cstring>

#include "base/check.h"

namespace kvorum::server {
namespace {

constexpr size_t kSlots = 1024;  // a power of two, well above the number of commands

// Of the first and last eight bytes, with the bit that tells capitals from small letters set in
// all.
size_t slot_of_name(std::string_view name) {
  constexpr uint64_t kLowerBits = 0x2020202020202020ULL;
  uint64_t head = 0, tail = 0;
  if (name.size() >= sizeof(head)) {
    std::memcpy(&head, name.data(), sizeof(head));
    std::memcpy(&tail, name.data() + name.size() - sizeof(tail), sizeof(tail));
  } else {
    for (char letter : name) head = head << 8 | static_cast<unsigned char>(letter);
  }
  uint64_t hash = ((head | kLowerBits) * 0x9e3779b97f4a7c15ULL) ^
                  ((tail | kLowerBits) * 0xc2b2ae3d27d4eb4fULL) ^ name.size();
  hash *= 0x9e3779b97f4a7c15ULL;
  return static_cast<size_t>(hash >> 54);
}
static_assert(kSlots == 1u << (64 - 54));

class CommandIndex {
 public:
  CommandIndex() {
    using Family = std::span<const CommandRow> (*)();
    constexpr Family kFamilies[] = {
        string_commands,         string_part_commands, several_string_commands, matching_commands,
        counter_commands,        bit_commands,         bit_field_commands,      generic_commands,
        copy_commands,           dump_commands,        object_commands,         expiry_commands,
        keyspace_commands,       connection_commands,  client_commands,         server_commands,
        introspection_commands,  document_commands,    scripting_commands,      quorum_commands,
        operator_commands,       membership_commands,  transaction_commands,    cluster_commands,
        ring_commands,           pub_sub_commands,     monitor_commands,        config_commands,
        client_control_commands, function_commands,    logbook_commands,        debug_commands,
        tracking_commands,
    };
    rows_.reserve(TrafficCounts::kCommandsMax);
    for (Family family : kFamilies) {
      for (const CommandRow& row : family()) insert(row);
    }
  }

  const CommandRow* find(std::string_view name) const {
    for (size_t slot = slot_of_name(name); slots_[slot]; slot = (slot + 1) % kSlots) {
      if (equals_ignoring_case(name, slots_[slot]->name)) return slots_[slot];
    }
    return nullptr;
  }
  const std::vector<const CommandRow*>& all() const { return all_; }

 private:
  void insert(const CommandRow& row) {
    KVORUM_CHECK(all_.size() < kSlots / 2 && !find(row.name));
    size_t slot = slot_of_name(row.name);
    while (slots_[slot]) slot = (slot + 1) % kSlots;
    KVORUM_CHECK(rows_.size() < TrafficCounts::kCommandsMax);
    CommandRow& kept = rows_.emplace_back(row);
    kept.number = static_cast<uint16_t>(rows_.size() - 1);
    kept.may_take_long = !(row.flags & kFast) && !row.complexity.starts_with("O(1)");
    slots_[slot] = &kept;
    all_.push_back(&kept);
  }

  std::vector<CommandRow> rows_;  // never grows beyond what it reserved: rows are pointed to
  std::array<const CommandRow*, kSlots> slots_{};
  std::vector<const CommandRow*> all_;
};

const CommandIndex& command_index() {
  static const CommandIndex index;
  return index;
}

struct FlagName {
  CommandFlag flag;
  std::string_view name;
};
// In the order in which Redis shows them.
constexpr FlagName kFlagNames[] = {
    {kWrite, "write"},
    {kReadonly, "readonly"},
    {kDenyOom, "denyoom"},
    {kAdmin, "admin"},
    {kPubSub, "pubsub"},
    {kNoScript, "noscript"},
    {kLoading, "loading"},
    {kStale, "stale"},
    {kMovableKeys, "skip_monitor"},
    {kFast, "fast"},
    {kNoAuth, "no_auth"},
    {kMovableKeys, "no_mandatory_keys"},
    {kMovableKeys, "movablekeys"},
    {kNoMulti, "no_multi"},
};

}  // namespace

const CommandRow* find_command(std::string_view name) {
  const CommandRow* const row = command_index().find(name);
  return row && !row->is_subcommand() ? row : nullptr;
}

const CommandRow* find_subcommand(const CommandRow& container, std::string_view name) {
  std::string full(container.name);
  full.append("|").append(name);
  return command_index().find(full);
}

const std::vector<const CommandRow*>& all_commands() { return command_index().all(); }

const CommandRow* find_named(std::string_view name) {
  const size_t bar = name.find('|');
  const CommandRow* const row = find_command(name.substr(0, bar));
  if (!row || bar == std::string_view::npos) return row;
  return find_subcommand(*row, name.substr(bar + 1));
}

std::vector<const CommandRow*> subcommands_of(const CommandRow& container) {
  std::vector<const CommandRow*> found;
  for (const CommandRow* row : all_commands()) {
    if (row->name.size() > container.name.size() && row->name.starts_with(container.name) &&
        row->name[container.name.size()] == '|') {
      found.push_back(row);
    }
  }
  return found;
}

bool arity_fits(const CommandRow& row, size_t words) {
  const size_t wanted = static_cast<size_t>(row.arity < 0 ? -row.arity : row.arity);
  return row.arity < 0 ? words >= wanted : words == wanted;
}

std::string_view group_name(Group group) {
  switch (group) {
    case Group::kString:
      return "string";
    case Group::kGeneric:
      return "generic";
    case Group::kConnection:
      return "connection";
    case Group::kServer:
      return "server";
    case Group::kScripting:
      return "scripting";
    case Group::kCluster:
      return "cluster";
    case Group::kTransactions:
      return "transactions";
    case Group::kPubSub:
      return "pubsub";
    case Group::kQuorum:
      return "quorum";
  }
  return "";
}

std::vector<std::string_view> flag_names(const CommandRow& row) {
  std::vector<std::string_view> names;
  if (row.handler == nullptr) return names;  // those of its subcommands count
  for (const FlagName& known : kFlagNames) {
    if (row.flags & known.flag) names.push_back(known.name);
  }
  return names;
}

}  // namespace kvorum::server
