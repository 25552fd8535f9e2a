// SPDX-License-Identifier: Apache-2.0
// COMMAND DOCS. What arguments a command takes is read from the syntax of its row, so that the tree
// which redis-cli shows while somebody types cannot differ from it:
//
//   key            a value                    [x]              may be left out
//   NX             a word as it is            x [x ...]        once or several times
//   EX seconds     a word before its values   NX | XX          one of these
//   TYPE a | b     a word before one of these
#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <string>
#include <utility>

#include "base/check.h"
#include "server/commands/command_table.h"
#include "server/commands/words.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

struct Argument {
  std::string name;
  std::string_view token;
  std::string_view type = "string";
  bool optional = false, multiple = false, repeats_token = false;
  std::vector<Argument> parts;  // of one that is made of others
};
using Arguments = std::vector<Argument>;

// Whether `again` is the argument once more, with its token or without.
bool repeats(const Argument& argument, const Argument& again) {
  return argument.name == again.name && (again.token.empty() || again.token == argument.token);
}

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_token(std::string_view word) {
  return !word.empty() && word[0] >= 'A' && word[0] <= 'Z' &&
         std::all_of(word.begin(), word.end(), [](char letter) {
           return (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
                  letter == '-';
         });
}

bool is_sign(std::string_view word) { return is_one_of(word, {"[", "]", "|", "..."}); }

std::string_view type_of(std::string_view name) {
  if (is_one_of(name, {"key", "key1", "key2", "destkey", "newkey", "source", "destination"})) {
    return "key";
  }
  if (name.starts_with("unix-time")) return "unix-time";
  if (name == "pattern") return "pattern";
  constexpr std::string_view kNumbers[] = {
      "seconds",   "milliseconds", "decrement", "offset",        "start", "end",
      "count",     "index",        "ttl",       "frequency",     "bit",   "numkeys",
      "cursor",    "timeout",      "protover",  "min-match-len", "db",    "destination-db",
      "slot",      "client-id",    "r",         "numreplicas",   "w",     "numlocal",
      "increment", "partition",    "weight"};
  const bool is_number =
      std::find(std::begin(kNumbers), std::end(kNumbers), name) != std::end(kNumbers);
  return is_number ? "integer" : "string";
}

// What a choice is about, by its first part.
std::string name_of_choice(const Arguments& parts) {
  const std::string_view first = parts[0].token;
  if (first == "NX" || first == "IFEQ") return "condition";
  if (first == "EX") return "expiration";
  if (first == "ASYNC") return "flush-type";
  if (first == "BYTE") return "unit";
  if (first == "AND") return "operation";
  return first == "ON" ? "status" : "choice";
}

Argument made_of(std::string name, std::string_view type, Arguments parts) {
  Argument argument;
  argument.name = std::move(name);
  argument.type = type;
  argument.parts = std::move(parts);
  return argument;
}

// A syntax is the programmers' own: it is checked, not answered with an error.
class SyntaxReader {
 public:
  explicit SyntaxReader(std::string_view syntax) {
    while (!syntax.empty()) {
      size_t size = std::min(syntax.find_first_of(" []|"), syntax.size());
      if (size == 0) size = 1;
      if (syntax[0] != ' ') words_.push_back(syntax.substr(0, size));
      syntax.remove_prefix(size);
    }
  }

  // All of it.
  Arguments read() {
    Arguments all = read_until_bracket();
    KVORUM_CHECK(at_end());
    return all;
  }

 private:
  bool at_end() const { return next_ >= words_.size(); }
  bool is(std::string_view sign) const { return !at_end() && words_[next_] == sign; }
  bool is_value() const { return !at_end() && !is_sign(words_[next_]) && !is_token(words_[next_]); }
  bool take(std::string_view sign) {
    const bool found = is(sign);
    if (found) ++next_;
    return found;
  }

  Argument read_value() {
    Argument value;
    value.name = words_[next_++];
    value.type = type_of(value.name);
    return value;
  }

  // A value, or a token with what belongs to it.
  Argument read_one() {
    KVORUM_CHECK(!at_end() && !is_sign(words_[next_]));
    if (is_value()) return read_value();
    Argument argument;
    argument.token = words_[next_++];
    argument.name = lower_case(argument.token);
    argument.type = "pure-token";
    if (!at_end() && is_token(words_[next_])) return read_nested(std::move(argument));
    Arguments values;
    while (is_value()) values.push_back(read_value());
    if (values.size() == 1 && is("|") && next_is_value()) {
      while (next_is_value() && take("|")) values.push_back(read_value());
      argument.type = "oneof";
      argument.parts = std::move(values);
    } else if (values.size() == 1) {
      argument.name = values[0].name;
      argument.type = values[0].type;
    } else if (!values.empty()) {
      argument.type = "block";
      argument.parts = std::move(values);
    }
    return argument;
  }
  bool next_is_value() const {
    return is("|") && next_ + 1 < words_.size() && !is_sign(words_[next_ + 1]) &&
           !is_token(words_[next_ + 1]);
  }

  // Until the bracket closes, or the end.
  Arguments read_until_bracket() {
    Arguments read;
    while (!at_end() && !is("]")) {
      if (take("[")) {
        read_bracket(read);
      } else if (take("...")) {
        if (!read.empty()) read.back().multiple = true;
      } else if (take("|")) {
        read_alternative(read);
      } else {
        read.push_back(read_one());
      }
    }
    return read;
  }

  // A token before a choice among other tokens.
  Argument read_nested(Argument argument) {
    Arguments choices = {read_one()};
    while (take("|")) choices.push_back(read_one());
    argument.type = "oneof";
    argument.parts = std::move(choices);
    return argument;
  }

  // What stood last is one of several. Behind a sign it is all that follows.
  void read_alternative(Arguments& read) {
    Arguments choices;
    if (!read.empty() && read.back().type == "oneof" && read.back().token.empty()) {
      choices = std::move(read.back().parts);
      read.pop_back();
    } else if (!read.empty()) {
      choices.push_back(std::move(read.back()));
      read.pop_back();
    }
    if (is("[")) {
      Arguments rest = read_until_bar();
      choices.push_back(rest.size() == 1 ? rest[0] : made_of("filter", "block", std::move(rest)));
    } else {
      choices.push_back(read_choice(choices));
    }
    std::string name = name_of_choice(choices);
    read.push_back(made_of(std::move(name), "oneof", std::move(choices)));
  }

  // Outside of brackets values behind a choice of mere words are not the last one's.
  Argument read_choice(const Arguments& others) {
    const bool all_pure = std::all_of(others.begin(), others.end(), [](const Argument& each) {
      return each.type == "pure-token";
    });
    if (depth_ > 0 || !all_pure || is_value()) return read_one();
    Argument pure;
    pure.token = words_[next_++];
    pure.name = lower_case(pure.token);
    pure.type = "pure-token";
    return pure;
  }

  Arguments read_until_bar() {
    Arguments read;
    while (!at_end() && !is("]") && !is("|")) {
      if (take("[")) {
        read_bracket(read);
      } else {
        read.push_back(read_one());
      }
    }
    return read;
  }

  // Either the last arguments once more, or something that may be left out.
  void read_bracket(Arguments& read) {
    ++depth_;
    Arguments inner = read_until_bracket();
    --depth_;
    take("]");
    if (inner.empty() || (inner.back().multiple && marks_repeated(read, inner))) return;
    if (inner.size() > 1) inner = {made_of("options", "block", std::move(inner))};
    inner[0].optional = true;
    read.push_back(std::move(inner[0]));
  }

  // Whether the last arguments are these.
  static bool marks_repeated(Arguments& read, const Arguments& again) {
    if (again.size() == 1 && !read.empty()) {
      Argument& last = read.back();
      const bool is_choice = last.type == "oneof" && last.token.empty();
      Argument& repeated = is_choice ? last.parts.back() : last;
      if (!repeats(repeated, again[0])) return false;
      repeated.multiple = true;
      repeated.repeats_token = !again[0].token.empty();
      return true;
    }
    if (again.size() > read.size()) return false;
    const auto first = read.end() - static_cast<std::ptrdiff_t>(again.size());
    if (!std::equal(first, read.end(), again.begin(), repeats)) return false;
    Argument block = made_of("data", "block", Arguments(first, read.end()));
    read.erase(first, read.end());
    block.multiple = true;
    read.push_back(std::move(block));
    return true;
  }

  std::vector<std::string_view> words_;
  size_t next_ = 0;
  int depth_ = 0;  // of brackets
};

// ---- as replies

struct Documented {
  const CommandRow& row;
  int keys = 0;  // that were shown
};

bool has_several_specs(const CommandRow& row) {
  return row.hints != nullptr && !row.hints->last_keys.empty();
}

// What the name alone does not tell.
std::string_view type_in(const CommandRow& row, const Argument& argument) {
  const std::string_view name = argument.name;
  const bool has_keys = row.first_key > 0 || (row.flags & kMovableKeys) != 0;
  if (argument.type == "key" && !has_keys) return "string";
  if (row.name == "incrbyfloat" && name == "increment") return "double";
  if ((row.name == "setbit" && name == "value") || (row.name == "lolwut" && name == "version")) {
    return "integer";
  }
  return argument.type;
}

Reply describe(const Arguments& arguments, Documented& of);

Reply describe(const Argument& argument, Documented& of) {
  const std::string_view type = type_in(of.row, argument);
  const bool is_key = type == "key";
  std::vector<Reply> fields;
  add_field(fields, "name", Reply::bulk_owned(argument.name));
  add_field(fields, "type", Reply::bulk(type));
  if (argument.parts.empty()) {
    add_field(fields, "display_text", Reply::bulk_owned(argument.name));
  }
  if (is_key) {
    const int spec = has_several_specs(of.row) && of.keys > 0 ? 1 : 0;
    ++of.keys;
    add_field(fields, "key_spec_index", Reply::integer(spec));
  }
  if (!argument.token.empty()) add_field(fields, "token", Reply::bulk(argument.token));
  std::vector<Reply> flags;
  if (argument.optional) flags.push_back(Reply::simple("optional"));
  if (argument.multiple) flags.push_back(Reply::simple("multiple"));
  if (argument.repeats_token) flags.push_back(Reply::simple("multiple_token"));
  if (!flags.empty()) add_field(fields, "flags", Reply::set(std::move(flags)));
  if (!argument.parts.empty()) add_field(fields, "arguments", describe(argument.parts, of));
  return Reply::map(std::move(fields));
}

Reply describe(const Arguments& arguments, Documented& of) {
  std::vector<Reply> items;
  for (const Argument& argument : arguments) items.push_back(describe(argument, of));
  return Reply::array(std::move(items));
}

Reply document(const CommandRow& row) {
  std::vector<Reply> fields;
  add_field(fields, "summary", Reply::bulk(row.summary));
  add_field(fields, "since", Reply::bulk(row.since));
  add_field(fields, "group", Reply::bulk(group_name(row.group)));
  add_field(fields, "complexity", Reply::bulk(row.complexity));
  const bool has_subcommands = (row.flags & kContainer) != 0;
  if (!row.arguments.empty()) {
    add_field(fields, "syntax", Reply::bulk(row.arguments));
    Documented of{row};
    if (!has_subcommands) {
      add_field(fields, "arguments", describe(SyntaxReader(row.arguments).read(), of));
    }
  }
  if (has_subcommands) {
    std::vector<Reply> entries;
    for (const CommandRow* each : subcommands_of(row)) {
      entries.push_back(Reply::bulk(each->name));
      entries.push_back(document(*each));
    }
    add_field(fields, "subcommands", Reply::map(std::move(entries)));
  }
  return Reply::map(std::move(fields));
}

void command_docs(const CommandCall& call, Plan& plan) {
  std::vector<Reply> entries;
  const auto add = [&](const CommandRow& row) {
    entries.push_back(Reply::bulk(row.name));
    entries.push_back(document(row));
  };
  if (call.words.size() == 2) {
    for (const CommandRow* row : all_commands()) {
      if (!row->is_subcommand()) add(*row);
    }
  }
  for (std::string_view name : call.words.subspan(2)) {
    if (const CommandRow* const row = find_named(name)) add(*row);
  }
  plan.answer(Reply::map(std::move(entries)));
}

constexpr CommandRow kRows[] = {
    {"command|docs", -2, kLoading | kStale, 0, 0, 0, Group::kServer, "7.0.0", "[command-name ...]",
     "Documentation of commands.", "O(N) for N commands", command_docs, &hint::kUncertainOrder},
};

}  // namespace

std::span<const CommandRow> document_commands() { return kRows; }

}  // namespace kvorum::server
