// SPDX-License-Identifier: Apache-2.0
#include "server/memcached/meta_commands.h"

#include <fmt/format.h>

#include <iterator>
#include <string>

#include "protocol/memcached_line.h"
#include "protocol/memcached_meta.h"
#include "server/commands/edits.h"
#include "server/commands/words.h"
#include "server/memcached/counting.h"
#include "server/memcached/item_edits.h"

namespace kvorum::server {
namespace {

using cluster::kMarkClaimed;
using cluster::kMarkStale;
using protocol::MemcachedCommand;
using protocol::MemcachedMetaFlags;
using protocol::Reply;

constexpr std::string_view kBadFlags = "CLIENT_ERROR invalid or duplicate flag";

// Remembered::number of a request. Remembered::text holds the words of the answer: the key as it
// came, then the flags that the answer shows, in order.
enum RequestBits : int64_t {
  kQuiet = 1,
  kValue = 2,
  kBase64 = 4,
  kCompares = 8,
  kTouches = 16,
  kDown = 32,
};

bool has(const FinishInput& input, RequestBits bit) { return input.remembered.number & bit; }

// What an answer tells of an item; a missing one has none.
struct Shown {
  const ItemState* item = nullptr;
  uint64_t now_ms = 0;
  bool by_new_deadline = false;  // t behind T tells the new one
};

void append_ttl(const Shown& shown, std::string& line) {
  const uint64_t deadline_ms =
      shown.by_new_deadline ? shown.item->deadline_ms : shown.item->old_deadline_ms;
  if (deadline_ms == 0) {
    line += "-1";
    return;
  }
  const uint64_t left_ms = deadline_ms > shown.now_ms ? deadline_ms - shown.now_ms : 0;
  protocol::append_uint64(line, (left_ms + 999) / 1000);
}

void append_age(const Shown& shown, std::string& line) {
  const uint64_t written_ms = shown.item->written_ms;
  protocol::append_uint64(line, shown.now_ms > written_ms ? (shown.now_ms - written_ms) / 1000 : 0);
}

void append_item_flag(char letter, const Shown& shown, std::string& line) {
  line.push_back(' ');
  line.push_back(letter);
  switch (letter) {
    case 'c':
      return protocol::append_uint64(line, shown.item->unique);
    case 'f':
      return protocol::append_uint64(line, shown.item->flags);
    case 's':
      return protocol::append_uint64(line, shown.item->size);
    case 't':
      return append_ttl(shown, line);
    case 'h':
      line.push_back('0');
      return;
    default:  // l
      append_age(shown, line);
  }
}

// The flags that were asked for, behind a line's first word. `letters`: those that the command
// answers for an item.
void append_flags(const FinishInput& input, std::string_view letters, Shown shown,
                  std::string& line) {
  std::string_view rest = input.remembered.text;
  const auto next = [&rest] {
    const size_t blank = rest.find(' ');
    const std::string_view word = rest.substr(0, blank);
    rest.remove_prefix(blank == rest.npos ? rest.size() : blank + 1);
    return word;
  };
  const std::string_view key = next();
  while (!rest.empty()) {
    const std::string_view word = next();
    switch (word[0]) {
      case 'O':
        line.append(" ").append(word);
        break;
      case 'k':
        line.append(" k").append(key);
        if (has(input, kBase64)) line += " b";
        break;
      case 'N':
        shown.by_new_deadline |= shown.item && shown.item->created;
        break;
      case 'T':
        shown.by_new_deadline = true;
        break;
      default:
        if (!shown.item || letters.find(word[0]) == letters.npos) break;
        append_item_flag(word[0], shown, line);
    }
  }
}

Reply short_answer(const FinishInput& input, std::string_view code, bool nominal) {
  if (nominal && has(input, kQuiet)) return Reply::none();
  std::string line(code);
  append_flags(input, {}, {}, line);
  return Reply::line_owned(std::move(line));
}

std::string head(std::string_view code, size_t bytes) { return fmt::format("{} {}", code, bytes); }

// ---- mg

void count_meta_get(const FinishInput& input, bool found) {
  if (has(input, kTouches)) {
    count(input, CacheCount::kTouch);
    return count(input, found ? CacheCount::kTouchHits : CacheCount::kTouchMisses);
  }
  count(input, CacheCount::kGet);
  count(input, found ? CacheCount::kGetHits : CacheCount::kGetMisses);
}

Reply item_answer(const FinishInput& input, const ItemState& state) {
  count_meta_get(input, true);
  const Shown shown{.item = &state, .now_ms = input.completion.now_ms};
  const bool unchanged =
      has(input, kCompares) && state.unique == static_cast<uint64_t>(input.remembered.second);
  const bool shows_value = has(input, kValue) && !unchanged;
  std::string line = shows_value ? head("VA", state.value.size()) : "HD";
  append_flags(input, "cfhlst", shown, line);
  if (state.marks & kMarkClaimed) line += " Z";
  if (state.marks & kMarkStale) line += " X";
  if (state.won) line += " W";
  if (!shows_value) return Reply::line_owned(std::move(line));
  return Reply::meta_item(std::move(line), state.value);
}

Reply finish_get(const FinishInput& input) {
  if (input.completion.object == nullptr) {  // of an edit
    if (input.completion.reply_code == kCacheNotFound) {
      count_meta_get(input, false);
      return short_answer(input, "EN", true);
    }
    return item_answer(input, get_item_state(input.completion.reply_bytes));
  }
  const Versions versions = seen(input);
  if (versions.empty()) {
    count_meta_get(input, false);
    return short_answer(input, "EN", true);
  }
  ItemState state = item_state(versions);
  if (!has(input, kValue)) state.value = {};
  if ((state.marks & kMarkStale) && !(state.marks & kMarkClaimed)) {
    ItemChange change;
    change.wants_value = has(input, kValue);
    std::string argument;
    put_item_change(argument, change);
    return Reply::follow_up(kEditItemFetch, std::move(argument));
  }
  return item_answer(input, state);
}

// ---- ms, md, ma

// A set that was refused shows 0 for its unique.
Reply not_set(const FinishInput& input, std::string_view code) {
  const ItemState none;
  std::string line(code);
  append_flags(input, "c", {.item = &none}, line);
  return Reply::line_owned(std::move(line));
}

Reply finish_set(const FinishInput& input) {
  count_store(input, has(input, kCompares));
  switch (static_cast<CacheReply>(input.completion.reply_code)) {
    case kCacheNotStored:
      return not_set(input, "NS");
    case kCacheExists:
      return not_set(input, "EX");
    case kCacheNotFound:
      return not_set(input, "NF");
    case kCacheStored:
    case kCacheUnchanged:
      break;
  }
  if (has(input, kQuiet)) return Reply::none();
  const ItemState state = get_item_state(input.completion.reply_bytes);
  std::string line = "HD";
  append_flags(input, "cs", {.item = &state, .now_ms = input.completion.now_ms}, line);
  return Reply::line_owned(std::move(line));
}

// Of a value that is too large: memcached deletes the old one, lest it stay for the new.
Reply finish_refused_set(const FinishInput& input) {
  count(input, CacheCount::kStoreTooLarge);
  return Reply::error(protocol::kMemcachedTooLarge);
}

Reply finish_delete(const FinishInput& input) {
  const uint8_t code = input.completion.reply_code;
  count(input, code == kCacheStored ? CacheCount::kDeleteHits : CacheCount::kDeleteMisses);
  if (code == kCacheNotFound) return short_answer(input, "NF", false);
  if (code == kCacheExists) return short_answer(input, "EX", false);
  return short_answer(input, "HD", true);
}

Reply finish_count(const FinishInput& input) {
  const uint8_t code = input.completion.reply_code;
  const bool down = has(input, kDown);
  count_found(input, down ? CacheCount::kDecrHits : CacheCount::kIncrHits,
              down ? CacheCount::kDecrMisses : CacheCount::kIncrMisses);
  if (code == kCacheNotFound) return short_answer(input, "NF", false);
  if (code == kCacheExists) return short_answer(input, "EX", false);
  if (code == kCacheNotStored) return short_answer(input, "NS", false);
  const ItemState state = get_item_state(input.completion.reply_bytes);
  // What was not there before is told also where nobody wants to hear of successes.
  if (has(input, kQuiet) && !state.created) return Reply::none();
  const bool shows_value = has(input, kValue);
  std::string line = shows_value ? head("VA", state.value.size()) : "HD";
  append_flags(input, "ct", {.item = &state, .now_ms = input.completion.now_ms}, line);
  if (!shows_value) return Reply::line_owned(std::move(line));
  return Reply::meta_item(std::move(line), state.value);
}

// ---- me

Reply finish_debug(const FinishInput& input) {
  const Versions versions = seen(input);
  if (versions.empty()) return Reply::line("EN");
  const cluster::Version& version = versions[0];
  const uint64_t now_ms = input.completion.now_ms, written_ms = version.dot.hlc.ms();
  std::string line = fmt::format("ME {} exp=", input.remembered.text);
  if (version.deadline_ms == 0) {
    line += "-1";
  } else {  // as memcached has it: now minus the deadline
    const int64_t left_ms = static_cast<int64_t>(version.deadline_ms - now_ms);
    protocol::append_int64(line, -((left_ms + 999) / 1000));
  }
  fmt::format_to(std::back_inserter(line), " la={} cas={} fetch=no cls=1 size={}",
                 now_ms > written_ms ? (now_ms - written_ms) / 1000 : 0, cas_unique(versions),
                 version.bytes.size());
  return Reply::line_owned(std::move(line));
}

// ---- plans

// The deadline of a flag's token; negative ones are over, as those of memcached.
uint64_t deadline_of(const MemcachedCall& call, int32_t exptime) {
  return memcached_deadline_ms(exptime, call.now_ms);
}

ItemChange change_of(const MemcachedCall& call, const MemcachedMetaFlags& flags) {
  ItemChange change;
  change.compares = flags.compares;
  change.cas = flags.cas;
  change.name = flags.named ? flags.name : 0;
  change.invalidates = flags.invalidates;
  change.drops_value = flags.drops_value;
  change.sets_deadline = flags.sets_exptime;
  change.deadline_ms = deadline_of(call, flags.exptime);
  change.creates = flags.creates;
  change.created_deadline_ms =
      deadline_of(call, flags.exptime_is_last ? flags.exptime : flags.created_exptime);
  change.recaches = flags.recaches && flags.recache_seconds != 0;
  change.recache_ms = deadline_of(call, flags.recache_seconds);
  change.touches_first = flags.exptime_is_first;
  change.wants_value = flags.wants_value;
  change.flags = flags.flags;
  change.delta = flags.delta;
  change.initial = flags.initial;
  return change;
}

// What the answer will show, and the key as the edit or read needs it.
std::string_view remember(const MemcachedCall& call, MemcachedMetaFlags& flags, size_t first,
                          Plan& plan) {
  int64_t bits = 0;
  if (flags.quiet) bits |= kQuiet;
  if (flags.wants_value) bits |= kValue;
  if (flags.base64) bits |= kBase64;
  if (flags.compares) bits |= kCompares;
  if (flags.sets_exptime) bits |= kTouches;
  plan.remembered.number |= bits;
  plan.remembered.text.assign(call.request.key());
  for (size_t i = first; i < call.request.words.size(); ++i) {
    const std::string_view word = call.request.words[i];
    if (std::string_view("NOkTcfhlst").find(word[0]) == std::string_view::npos) continue;
    plan.remembered.text.append(" ").append(word);
  }
  if (!flags.base64) return call.request.key();
  plan.remembered.gathered = std::move(flags.key);  // which stays with the plan
  return plan.remembered.gathered;
}

void plan_get(const MemcachedCall& call, Plan& plan) {
  MemcachedMetaFlags flags = protocol::read_memcached_meta(call.request, 2);
  if (!flags.error.empty()) return plan.fail(flags.error);
  if (flags.opaque_is_long) return plan.fail(protocol::kMemcachedLongOpaque);
  const std::string_view key = remember(call, flags, 2, plan);
  plan.remembered.second = static_cast<int64_t>(flags.cas);
  plan.keeps_key = true;  // an edit may follow
  if (!flags.sets_exptime && !flags.creates && !flags.recaches) {
    plan.read(key, finish_get);
    return;
  }
  put_item_change(plan.argument, change_of(call, flags));
  plan_item_edit({kEditItemFetch, finish_get, key, call.request.value}, call.facts, plan);
}

bool read_store_mode(char mode, StoreMode* store) {
  switch (mode) {
    case 0:
    case 'S':
      *store = StoreMode::kSet;
      return true;
    case 'E':
      *store = StoreMode::kAdd;
      return true;
    case 'A':
      *store = StoreMode::kAppend;
      return true;
    case 'P':
      *store = StoreMode::kPrepend;
      return true;
    case 'R':
      *store = StoreMode::kReplace;
      return true;
    default:
      return false;
  }
}

void plan_set(const MemcachedCall& call, Plan& plan) {
  MemcachedMetaFlags flags = protocol::read_memcached_meta(call.request, 3);
  if (!flags.error.empty()) return plan.fail(flags.error);
  ItemChange change = change_of(call, flags);
  if (!read_store_mode(flags.mode, &change.mode)) {
    return plan.fail("CLIENT_ERROR invalid mode for ms M token");
  }
  change.item_bytes_max = call.facts.item_bytes_max();
  if (flags.opaque_is_long) return plan.fail(protocol::kMemcachedLongOpaque);
  const std::string_view error = call.request.error;
  if (!error.empty() && error != protocol::kMemcachedTooLarge) return plan.fail(error);
  const std::string_view key = remember(call, flags, 3, plan);
  if (!error.empty()) {
    plan.edit(key, kEditRemove, finish_refused_set);
    return;
  }
  put_item_change(plan.argument, change);
  plan_item_edit({kEditItemStore, finish_set, key, call.request.value}, call.facts, plan);
}

void plan_delete(const MemcachedCall& call, Plan& plan) {
  MemcachedMetaFlags flags = protocol::read_memcached_meta(call.request, 2);
  if (!flags.error.empty()) return plan.fail(kBadFlags);
  if (flags.opaque_is_long) return plan.fail(protocol::kMemcachedLongOpaque);
  const std::string_view key = remember(call, flags, 2, plan);
  put_item_change(plan.argument, change_of(call, flags));
  plan_item_edit({kEditItemRemove, finish_delete, key, call.request.value}, call.facts, plan);
}

void plan_count(const MemcachedCall& call, Plan& plan) {
  MemcachedMetaFlags flags = protocol::read_memcached_meta(call.request, 2);
  if (!flags.error.empty()) return plan.fail(kBadFlags);
  if (flags.opaque_is_long) return plan.fail(protocol::kMemcachedLongOpaque);
  ItemChange change = change_of(call, flags);
  change.counts_down = flags.mode == 'D' || flags.mode == '-';
  change.flags = 0;
  if (!change.counts_down && flags.mode != 0 && flags.mode != 'I' && flags.mode != '+') {
    return plan.fail("CLIENT_ERROR invalid mode for ma M token");
  }
  if (change.counts_down) plan.remembered.number |= kDown;
  const std::string_view key = remember(call, flags, 2, plan);
  put_item_change(plan.argument, change);
  plan_item_edit({kEditItemCount, finish_count, key, call.request.value}, call.facts, plan);
}

void plan_debug(const MemcachedCall& call, Plan& plan) {
  protocol::MemcachedRequest asked = call.request;
  const bool base64 = asked.words.size() > 2 && asked.words[2] == "b";
  asked.words.resize(base64 ? 3 : 2);
  MemcachedMetaFlags flags = protocol::read_memcached_meta(asked, 2);
  if (!flags.error.empty()) return plan.fail(protocol::kMemcachedBadFormat);
  plan.remembered.text.assign(call.request.key());
  plan.remembered.gathered = std::move(flags.key);
  plan.read(base64 ? std::string_view(plan.remembered.gathered) : call.request.key(), finish_debug);
}

}  // namespace

void plan_meta(const MemcachedCall& call, Plan& plan) {
  switch (call.request.command) {
    case MemcachedCommand::kMetaGet:
      return plan_get(call, plan);
    case MemcachedCommand::kMetaSet:
      return plan_set(call, plan);
    case MemcachedCommand::kMetaDelete:
      return plan_delete(call, plan);
    case MemcachedCommand::kMetaArithmetic:
      return plan_count(call, plan);
    case MemcachedCommand::kMetaDebug:
      call.facts.traffic().note(CacheCount::kMeta);
      return plan_debug(call, plan);
    default:
      return plan.answer(Reply::line("MN"));
  }
}

}  // namespace kvorum::server
