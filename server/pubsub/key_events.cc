// SPDX-License-Identifier: Apache-2.0
#include "server/pubsub/key_events.h"

#include <iterator>

#include "server/commands/edits.h"
#include "server/commands/set_condition.h"

namespace kvorum::server {
namespace {

// In the order in which Redis shows them; A is all from g to d.
constexpr std::string_view kLetters = "g$lshzxetdnKEm";
constexpr size_t kOfAll = 10;

constexpr EventLetters bit_of(char letter) { return 1u << kLetters.find(letter); }
constexpr EventLetters kAll = (1u << kOfAll) - 1;
constexpr EventLetters kChannels = bit_of('K') | bit_of('E');

struct Named {
  std::string_view name;
  char letter;
};
constexpr Named kNames[] = {
    {"", 'g'},          {"set", '$'},         {"append", '$'},      {"setrange", '$'},
    {"incrby", '$'},    {"incrbyfloat", '$'}, {"setbit", '$'},      {"del", 'g'},
    {"expire", 'g'},    {"persist", 'g'},     {"rename_from", 'g'}, {"rename_to", 'g'},
    {"move_from", 'g'}, {"move_to", 'g'},     {"copy_to", 'g'},     {"restore", 'g'},
    {"expired", 'x'},   {"evicted", 'e'},
};
static_assert(std::size(kNames) == static_cast<size_t>(KeyEvent::kEvicted) + 1);

const Named& named(KeyEvent event) { return kNames[static_cast<size_t>(event)]; }

// A value that is written.
KeyChange value_of(std::string_view command, const ValueOptions& options) {
  if (command == "rename" || command == "renamenx") return {KeyEvent::kRenameTo};
  if (command == "move") return {KeyEvent::kMoveTo};
  if (command == "copy") return {KeyEvent::kCopyTo};
  if (command == "restore") return {KeyEvent::kRestore};
  return {KeyEvent::kSet, options.deadline_ms != 0};
}

KeyChange removal_of(std::string_view command) {
  if (command == "rename" || command == "renamenx") return {KeyEvent::kRenameFrom};
  if (command == "move") return {KeyEvent::kMoveFrom};
  return {KeyEvent::kDelete};
}

KeyChange deadline_of(int64_t deadline_ms, uint64_t now_ms) {
  return {deadline_ms <= static_cast<int64_t>(now_ms) ? KeyEvent::kDelete : KeyEvent::kExpire};
}

KeyChange deadline_or_none(uint64_t deadline_ms, uint64_t now_ms) {
  if (deadline_ms == 0) return {KeyEvent::kPersist};
  return deadline_of(static_cast<int64_t>(deadline_ms), now_ms);
}

}  // namespace

std::optional<EventLetters> read_event_letters(std::string_view text) {
  EventLetters letters = 0;
  for (const char letter : text) {
    if (letter == 'A') {
      letters |= kAll;
    } else if (kLetters.find(letter) != std::string_view::npos) {
      letters |= bit_of(letter);
    } else {
      return std::nullopt;
    }
  }
  return letters;
}

std::string event_letters_text(EventLetters letters) {
  std::string text;
  const bool all = (letters & kAll) == kAll;
  if (all) text.push_back('A');
  for (const char letter : kLetters) {
    const bool within = all && (bit_of(letter) & kAll) != 0;
    if ((letters & bit_of(letter)) != 0 && !within) text.push_back(letter);
  }
  return text;
}

bool on_key_channel(EventLetters letters) { return (letters & bit_of('K')) != 0; }
bool on_event_channel(EventLetters letters) { return (letters & bit_of('E')) != 0; }

bool asks_for(EventLetters letters, KeyEvent event) {
  return (letters & kChannels) != 0 && (letters & bit_of(named(event).letter)) != 0;
}

std::string_view name_of(KeyEvent event) { return named(event).name; }

namespace {

struct EditWords {
  cluster::EditCode edit;
  std::string_view argument;
  std::string_view command;  // empty: not known
};

KeyChange change_by(const EditWords& words, uint64_t now_ms) {
  ByteReader argument(words.argument);
  const std::string_view command = words.command;
  switch (words.edit) {
    case kEditSetIf:
      argument.u8();  // the condition
      return value_of(command, get_value_options(argument));
    case kEditSet:
      return value_of(command, get_value_options(argument));
    case kEditSetMatching:
    case kEditCacheAdd:
    case kEditCacheReplace:
    case kEditCacheCas:
      return {KeyEvent::kSet};
    case kEditAppend:
    case kEditCacheJoin:
      return {KeyEvent::kAppend};
    case kEditSetRange:
      return {KeyEvent::kSetRange};
    case kEditIncrement:
    case kEditCacheCount:
      return {KeyEvent::kIncrementBy};
    case kEditIncrementFloat:
      return {KeyEvent::kIncrementByFloat};
    case kEditSetBit:
    case kEditBitFields:
      return {KeyEvent::kSetBit};
    case kEditRemove:
    case kEditGetRemove:
    case kEditRemoveMatching:
    case kEditDeleteVersions:
      return removal_of(command);
    case kEditExpire:
      return deadline_of(static_cast<int64_t>(argument.u64()), now_ms);
    case kEditGetExpire:
    case kEditCacheTouch:
      return deadline_or_none(argument.varint(), now_ms);
    case kEditPersist:
      return {KeyEvent::kPersist};
    case kEditScript:
    case kEditBatch:
      return {.in_reply = true};
    default:
      return {};
  }
}

// Of a completion, or of what the edit answered.
template <class Answer>
bool did_change_by(cluster::EditCode edit, const Answer& answer) {
  switch (edit) {
    case kEditSetIf:
      return answer.reply_code == kWasSet;
    case kEditRemove:
    case kEditExpire:
    case kEditPersist:
      return answer.reply_number != 0;
    case kEditGetRemove:
      return answer.has_reply_bytes;
    default:
      return true;
  }
}

}  // namespace

KeyChange change_of(const cluster::Request& request, std::string_view command, uint64_t now_ms) {
  return change_by({request.edit, request.argument, command}, now_ms);
}

bool did_change(cluster::EditCode edit, const cluster::Completion& completion) {
  return did_change_by(edit, completion);
}

KeyEvents events_of(cluster::EditCode edit, std::string_view argument,
                    const cluster::EditOutput& output, uint64_t now_ms) {
  return did_change_by(edit, output) ? change_by({edit, argument, {}}, now_ms).events() : 0;
}

}  // namespace kvorum::server
