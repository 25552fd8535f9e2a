// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <initializer_list>
#include <utility>

#include "protocol/glob.h"
#include "server/commands/command_table.h"
#include "server/commands/help.h"
#include "server/commands/words.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

Reply simple_set(const std::vector<std::string_view>& names) {
  std::vector<Reply> items;
  for (std::string_view name : names) items.push_back(Reply::simple(name));
  return Reply::set(std::move(items));
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// As Redis has it, those about a whole keyspace too.
bool is_of_keyspace(const CommandRow& row) {
  const bool reads_or_writes = (row.flags & (kReadonly | kWrite)) != 0;
  if (row.group == Group::kGeneric) return reads_or_writes || row.is_subcommand();
  return row.group == Group::kServer && row.flags & kBarrier && reads_or_writes;
}

// What tells of commands, and what speaks of the connection itself, whatever its group.
bool is_of_connection(const CommandRow& row) {
  return row.group == Group::kConnection || row.name.starts_with("command") ||
         is_one_of(row.name, {"asking", "readonly", "readwrite", "wait", "waitaof"});
}

// Of ACL.
std::vector<std::string_view> categories(const CommandRow& row) {
  if (row.handler == nullptr) return {"@slow"};  // its subcommands have more
  std::vector<std::string_view> names;
  const bool is_script = row.group == Group::kScripting;
  const bool has_bits = row.name.find("bit") != std::string_view::npos;
  if (is_of_keyspace(row)) names.push_back("@keyspace");
  if (row.flags & kReadonly && !is_script) names.push_back("@read");
  if (row.flags & kWrite) names.push_back("@write");
  if (row.group == Group::kString) names.push_back(has_bits ? "@bitmap" : "@string");
  const bool is_admin = row.flags & kAdmin || row.name == "lastsave";
  if (is_admin) names.push_back("@admin");
  if (row.flags & kPubSub) names.push_back("@pubsub");
  names.push_back(row.flags & kFast ? "@fast" : "@slow");
  if (is_admin || is_one_of(row.name, {"flushall", "flushdb", "info", "keys", "restore"})) {
    names.push_back("@dangerous");
  }
  if (is_of_connection(row)) names.push_back("@connection");
  if (row.group == Group::kTransactions) names.push_back("@transaction");
  if (is_script) names.push_back("@scripting");
  return names;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t blank = text.find(' ');
    words.push_back(text.substr(0, blank));
    text = blank == std::string_view::npos ? "" : text.substr(blank + 1);
  }
  return words;
}

constexpr RowHints kNoHints;
const RowHints& hints_of(const CommandRow& row) { return row.hints ? *row.hints : kNoHints; }

bool has_movable_keys(const CommandRow& row) { return (row.flags & kMovableKeys) != 0; }
// Channels of shards stand where keys do, for those who route, and are none.
bool has_keys(const CommandRow& row) {
  return (row.first_key != 0 || has_movable_keys(row)) && hints_of(row).keys != "not_key";
}

// What is done to the first key, or to those behind it.
std::string_view use_of_keys(const CommandRow& row, bool is_first) {
  const RowHints& hints = hints_of(row);
  if (!is_first && !hints.last_keys.empty()) return hints.last_keys;
  if (!hints.keys.empty()) return hints.keys;
  return row.flags & kReadonly ? "RO access" : "RW access update";
}

Reply number_map(std::initializer_list<std::pair<std::string_view, int64_t>> numbers) {
  std::vector<Reply> fields;
  for (const auto& [name, number] : numbers) add_field(fields, name, Reply::integer(number));
  return Reply::map(std::move(fields));
}

Reply typed(std::string_view type, Reply spec) {
  std::vector<Reply> fields;
  add_field(fields, "type", Reply::bulk(type));
  add_field(fields, "spec", std::move(spec));
  return Reply::map(std::move(fields));
}

// Where keys begin, which of the words from there on are some, what is done to them.
Reply key_spec(const CommandRow& row, int first, int last, std::string_view use) {
  std::vector<Reply> fields;
  const std::string_view notes = hints_of(row).notes;
  if (!notes.empty()) add_field(fields, "notes", Reply::bulk(notes));
  add_field(fields, "flags", simple_set(split_words(use)));
  add_field(fields, "begin_search", typed("index", number_map({{"index", first}})));
  Reply keys =
      has_movable_keys(row)
          ? typed("keynum", number_map({{"keynumidx", 0}, {"firstkey", 1}, {"keystep", 1}}))
          : typed("range", number_map({{"lastkey", last < 0 ? last : last - first},
                                       {"keystep", row.key_step},
                                       {"limit", 0}}));
  add_field(fields, "find_keys", std::move(keys));
  return Reply::map(std::move(fields));
}

Reply key_specs(const CommandRow& row) {
  constexpr int kNumberOfKeys = 2;  // the word that says how many keys follow
  std::vector<Reply> specs;
  const int first = has_movable_keys(row) ? kNumberOfKeys : row.first_key;
  if (first == 0) return Reply::set(std::move(specs));
  if (hints_of(row).last_keys.empty()) {
    specs.push_back(key_spec(row, first, row.last_key, use_of_keys(row, true)));
  } else {
    specs.push_back(key_spec(row, first, first, use_of_keys(row, true)));
    specs.push_back(key_spec(row, first + 1, row.last_key, use_of_keys(row, false)));
  }
  return Reply::set(std::move(specs));
}

Reply tips(const CommandRow& row) {
  std::vector<Reply> items;
  for (const std::string_view tip : split_words(hints_of(row).tips)) {
    items.push_back(Reply::bulk(tip));
  }
  return Reply::set(std::move(items));
}

// The ten elements that COMMAND has had since Redis 7.
Reply describe(const CommandRow& row) {
  std::vector<Reply> subcommands;
  if (row.flags & kContainer) {
    for (const CommandRow* each : subcommands_of(row)) subcommands.push_back(describe(*each));
  }
  std::vector<Reply> items;
  items.push_back(Reply::bulk(row.name));
  items.push_back(Reply::integer(row.arity));
  items.push_back(simple_set(flag_names(row)));
  items.push_back(Reply::integer(row.first_key));
  items.push_back(Reply::integer(row.last_key));
  items.push_back(Reply::integer(row.key_step));
  items.push_back(simple_set(categories(row)));
  items.push_back(tips(row));
  items.push_back(key_specs(row));
  items.push_back(subcommands.empty() ? Reply::set({}) : Reply::array(std::move(subcommands)));
  return Reply::array(std::move(items));
}

void command(const CommandCall&, Plan& plan) {
  std::vector<Reply> items;
  for (const CommandRow* row : all_commands()) {
    if (!row->is_subcommand()) items.push_back(describe(*row));
  }
  plan.answer(Reply::array(std::move(items)));
}

void command_count(const CommandCall&, Plan& plan) {
  const auto& rows = all_commands();
  plan.answer(Reply::integer(std::count_if(
      rows.begin(), rows.end(), [](const CommandRow* row) { return !row->is_subcommand(); })));
}

void command_info(const CommandCall& call, Plan& plan) {
  if (call.words.size() == 2) return command(call, plan);
  std::vector<Reply> items;
  for (std::string_view name : call.words.subspan(2)) {
    const CommandRow* const row = find_named(name);
    items.push_back(row ? describe(*row) : Reply::nil());
  }
  plan.answer(Reply::array(std::move(items)));
}

void command_list(const CommandCall& call, Plan& plan) {
  enum class Filter { kNone, kPattern, kCategory, kModule } filter = Filter::kNone;
  std::string_view argument;
  if (call.words.size() == 5 && equals_ignoring_case(call.words[2], "filterby")) {
    argument = call.words[4];
    if (equals_ignoring_case(call.words[3], "pattern")) filter = Filter::kPattern;
    if (equals_ignoring_case(call.words[3], "aclcat")) filter = Filter::kCategory;
    if (equals_ignoring_case(call.words[3], "module")) filter = Filter::kModule;
  }
  if (call.words.size() != 2 && filter == Filter::kNone) return plan.fail(protocol::kSyntaxError);
  std::vector<Reply> names;
  for (const CommandRow* row : all_commands()) {
    bool shown = filter == Filter::kNone;
    if (filter == Filter::kPattern) shown = protocol::glob_matches(argument, row->name, true);
    if (filter == Filter::kCategory) {
      for (std::string_view name : categories(*row)) {
        shown |= equals_ignoring_case(argument, name.substr(1));
      }
    }
    if (shown) names.push_back(Reply::bulk(row->name));
  }
  plan.answer(Reply::array(std::move(names)));
}

// The keys of the command that the words from the third on are. False with Redis's error planned.
bool find_keys(const CommandCall& call, Plan& plan, const CommandRow** row, Words* keys) {
  const Words words = call.words.subspan(2);
  *row = find_command(words[0]);
  if (*row && (*row)->flags & kContainer && words.size() > 1) {
    *row = find_subcommand(**row, words[1]);
  }
  if (!*row) return plan.fail("ERR Invalid command specified"), false;
  const bool movable = has_movable_keys(**row);
  if (!has_keys(**row)) {
    return plan.fail("ERR The command has no key arguments"), false;
  }
  if (!arity_fits(**row, words.size())) {
    return plan.fail("ERR Invalid number of arguments specified for command"), false;
  }
  if (!movable) return *keys = words, true;
  const auto count = protocol::parse_int64(words[2]);
  if (!count || *count < 0 || *count > static_cast<int64_t>(words.size()) - 3) {
    return *keys = {}, true;  // as Redis has it of commands that may have no key
  }
  return *keys = words.subspan(3, static_cast<size_t>(*count)), true;
}

// Calls fn with each key. Of a command whose keys do not move, `words` are all of it.
void each_key(const CommandRow& row, Words words, FunctionRef<void(std::string_view)> fn) {
  if (row.flags & kMovableKeys) {
    for (const std::string_view key : words) fn(key);
    return;
  }
  const int count = static_cast<int>(words.size());
  const int last = row.last_key < 0 ? count + row.last_key : row.last_key;
  for (int i = row.first_key; i <= last && i < count; i += row.key_step) {
    fn(words[static_cast<size_t>(i)]);
  }
}

void command_getkeys(const CommandCall& call, Plan& plan) {
  const CommandRow* row = nullptr;
  Words words;
  if (!find_keys(call, plan, &row, &words)) return;
  std::vector<Reply> keys;
  each_key(*row, words, [&](std::string_view key) { keys.push_back(Reply::bulk(key)); });
  plan.answer(Reply::array(std::move(keys)));
}

// SET alone reads with GET, and BITFIELD of reads alone writes nothing.
std::string_view use_of_these(const CommandRow& row, Words words, bool is_first) {
  if (row.name == "set") {
    const bool gets = std::any_of(words.begin() + 3, words.end(), [](std::string_view word) {
      return equals_ignoring_case(word, "get");
    });
    return gets ? "RW access update" : "OW update";
  }
  if (row.name != "bitfield") return use_of_keys(row, is_first);
  for (size_t at = 2; at < words.size(); at += 3) {
    const bool reads = equals_ignoring_case(words[at], "get") && words.size() - at > 2;
    if (!reads) return "RW access update";
  }
  return "RO access";
}

void command_getkeysandflags(const CommandCall& call, Plan& plan) {
  const CommandRow* row = nullptr;
  Words words;
  if (!find_keys(call, plan, &row, &words)) return;
  std::vector<Reply> items;
  each_key(*row, words, [&](std::string_view key) {
    std::vector<Reply> item;
    item.push_back(Reply::bulk(key));
    item.push_back(simple_set(split_words(use_of_these(*row, words, items.empty()))));
    items.push_back(Reply::array(std::move(item)));
  });
  plan.answer(Reply::array(std::move(items)));
}

constexpr uint32_t kPlain = kLoading | kStale;

constexpr CommandRow kRows[] = {
    {"command", -1, kContainer | kPlain, 0, 0, 0, Group::kServer, "2.8.13", "",
     "Describes every command.", "O(N) for N commands", command, &hint::kUncertainOrder},
    {"command|count", 2, kPlain, 0, 0, 0, Group::kServer, "2.8.13", "",
     "How many commands there are.", "O(1)", command_count},
    {"command|getkeys", -3, kPlain, 0, 0, 0, Group::kServer, "2.8.13", "command [arg ...]",
     "Which arguments of a command are keys.", "O(N) for N arguments", command_getkeys},
    {"command|getkeysandflags", -4, kPlain, 0, 0, 0, Group::kServer, "7.0.0", "command [arg ...]",
     "The same, with what is done to each.", "O(N) for N arguments", command_getkeysandflags},
    {"command|help", 2, kPlain, 0, 0, 0, Group::kServer, "5.0.0", "", "Lists the subcommands.",
     "O(1)", subcommand_help},
    {"command|info", -2, kPlain, 0, 0, 0, Group::kServer, "2.8.13", "[command-name ...]",
     "Describes some commands.", "O(N) for N commands", command_info, &hint::kUncertainOrder},
    {"command|list", -2, kPlain, 0, 0, 0, Group::kServer, "7.0.0",
     "[FILTERBY MODULE name | ACLCAT category | PATTERN pattern]", "The names of commands.",
     "O(N) for N commands", command_list, &hint::kUncertainOrder},
};

}  // namespace

std::span<const CommandRow> introspection_commands() { return kRows; }

}  // namespace kvorum::server
