// SPDX-License-Identifier: Apache-2.0
#include "server/memcached/binary_commands.h"

#include <string>

#include "server/commands/edits.h"
#include "server/commands/password.h"
#include "server/commands/versions.h"
#include "server/commands/words.h"
#include "server/memcached/counting.h"
#include "server/memcached/item_edits.h"
#include "server/memcached/memcached_commands.h"
#include "server/memcached/memcached_replies.h"
#include "server/memcached/watching.h"

namespace kvorum::server {
namespace {

using protocol::MemcachedOpcode;
using protocol::MemcachedStatus;
using protocol::Reply;

constexpr std::string_view kMechanism = "PLAIN";

// Remembered::number of a request.
enum RequestBits : int64_t { kIsQuiet = 1, kCompares = 2 };

bool is_quiet(const FinishInput& input) { return input.remembered.number & kIsQuiet; }

// A quiet command that did what it should says nothing, but a get that found something.
Reply done(const FinishInput& input, uint64_t cas) {
  if (is_quiet(input)) return Reply::none();
  return Reply::frame(input.remembered.text, MemcachedStatus::kOk, {}).with_cas(cas);
}

Reply refused(const FinishInput& input, MemcachedStatus status) {
  return Reply::refusal(input.remembered.text, status);
}

// The cas unique of what the edit wrote, where its handler knows the bytes.
uint64_t planned_unique(const FinishInput& input) {
  return static_cast<uint64_t>(input.remembered.second);
}

Reply finish_store(const FinishInput& input, MemcachedStatus not_stored, uint64_t unique) {
  count_store(input, input.remembered.number & kCompares);
  switch (static_cast<CacheReply>(input.completion.reply_code)) {
    case kCacheNotStored:
      return refused(input, not_stored);
    case kCacheExists:
      return refused(input, MemcachedStatus::kExists);
    case kCacheNotFound:
      return refused(input, MemcachedStatus::kNotFound);
    case kCacheStored:
    case kCacheUnchanged:
      break;
  }
  return done(input, unique);
}

Reply finish_set(const FinishInput& input) {
  return finish_store(input, MemcachedStatus::kNotStored, planned_unique(input));
}
Reply finish_add(const FinishInput& input) {
  return finish_store(input, MemcachedStatus::kExists, planned_unique(input));
}
Reply finish_replace(const FinishInput& input) {
  return finish_store(input, MemcachedStatus::kNotFound, planned_unique(input));
}

Reply finish_join(const FinishInput& input) {
  const bool stored = input.completion.reply_code == kCacheStored;
  const uint64_t unique = stored ? get_item_state(input.completion.reply_bytes).unique : 0;
  return finish_store(input, MemcachedStatus::kNotStored, unique);
}

struct StoreRow {
  cluster::EditCode edit;
  Finish finish;
};

StoreRow store_row(MemcachedOpcode command) {
  if (command == MemcachedOpcode::kAdd) return {kEditCacheAdd, finish_add};
  if (command == MemcachedOpcode::kReplace) return {kEditCacheReplace, finish_replace};
  return {kEditSet, finish_set};
}

void plan_store(const MemcachedBinaryCall& call, Plan& plan) {
  const protocol::MemcachedBinaryRequest& asked = call.request;
  StoreRow row = store_row(asked.command);
  if (asked.cas != 0) {
    row.edit = kEditCacheCas;
    put_u64(plan.argument, asked.cas);
    plan.remembered.number |= kCompares;
  }
  put_value_options(plan.argument,
                    {memcached_deadline_ms(asked.exptime, call.now_ms), asked.flags});
  cluster::Request& request = plan.edit(asked.key, row.edit, row.finish);
  request.argument = plan.argument;
  request.value = asked.value;
  request.origin = new_origin(call.facts);
  cluster::Version written;
  written.origin = request.origin;
  written.flags = asked.flags;
  written.bytes = asked.value;
  plan.remembered.second = static_cast<int64_t>(version_unique(written));
}

void plan_edit(const MemcachedBinaryCall& call, cluster::EditCode code, Finish finish, Plan& plan) {
  plan_item_edit({code, finish, call.request.key, call.request.value}, call.facts, plan);
}

// What all changes of an item have in common.
ItemChange change_of(const MemcachedBinaryCall& call) {
  ItemChange change;
  change.cas = call.request.cas;
  change.compares = change.cas != 0;
  return change;
}

void plan_join(const MemcachedBinaryCall& call, Plan& plan) {
  ItemChange change = change_of(call);
  const bool prepends = call.request.command == MemcachedOpcode::kPrepend;
  change.mode = prepends ? StoreMode::kPrepend : StoreMode::kAppend;
  change.item_bytes_max = call.facts.item_bytes_max();
  put_item_change(plan.argument, change);
  plan_edit(call, kEditItemStore, finish_join, plan);
}

Reply finish_count(const FinishInput& input) {
  switch (static_cast<CacheReply>(input.completion.reply_code)) {
    case kCacheNotFound:
      return refused(input, MemcachedStatus::kNotFound);
    case kCacheExists:
      return refused(input, MemcachedStatus::kExists);
    case kCacheStored:
    case kCacheNotStored:
    case kCacheUnchanged:
      break;
  }
  const ItemState state = get_item_state(input.completion.reply_bytes);
  if (is_quiet(input)) return Reply::none();
  const uint64_t number = protocol::parse_lax_uint64(state.value).value_or(0);
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(number >> shift));
  return Reply::frame_owned(input.remembered.text, MemcachedStatus::kOk, std::move(bytes))
      .with_cas(state.unique);
}
Reply finish_increment(const FinishInput& input) {
  count_found(input, CacheCount::kIncrHits, CacheCount::kIncrMisses);
  return finish_count(input);
}
Reply finish_decrement(const FinishInput& input) {
  count_found(input, CacheCount::kDecrHits, CacheCount::kDecrMisses);
  return finish_count(input);
}

void plan_count(const MemcachedBinaryCall& call, Plan& plan) {
  ItemChange change = change_of(call);
  change.counts_down = call.request.command == MemcachedOpcode::kDecrement;
  change.delta = call.request.delta;
  change.initial = call.request.initial;
  change.creates = call.request.creates;
  change.created_deadline_ms = memcached_deadline_ms(call.request.exptime, call.now_ms);
  put_item_change(plan.argument, change);
  plan_edit(call, kEditItemCount, change.counts_down ? finish_decrement : finish_increment, plan);
}

Reply not_found(const FinishInput& input) {
  if (is_quiet(input)) return Reply::none();
  const std::string_view echo = input.remembered.text;
  const bool shows_key = echo.size() > protocol::MemcachedEcho::kBytes;
  return shows_key ? Reply::frame(echo, MemcachedStatus::kNotFound, {})
                   : Reply::refusal(echo, MemcachedStatus::kNotFound);
}

Reply finish_get(const FinishInput& input) {
  const Versions versions = seen(input);
  count_get(input, !versions.empty());
  if (versions.empty()) return not_found(input);
  return Reply::frame(input.remembered.text, MemcachedStatus::kOk, versions[0].bytes)
      .with_flags(versions[0].flags)
      .with_cas(cas_unique(versions));
}

Reply touched(const FinishInput& input, bool shows_value) {
  if (!count_touch(input)) return not_found(input);
  const TouchedItem item = touched_item(input.completion);
  return Reply::frame(input.remembered.text, MemcachedStatus::kOk,
                      shows_value ? item.value : std::string_view())
      .with_flags(item.flags)
      .with_cas(item.unique);
}
Reply finish_touch(const FinishInput& input) { return touched(input, false); }
Reply finish_gat(const FinishInput& input) { return touched(input, true); }

void plan_touch(const MemcachedBinaryCall& call, Plan& plan) {
  put_varint(plan.argument, memcached_deadline_ms(call.request.exptime, call.now_ms));
  put_u8(plan.argument, 1);  // flags and unique stand beside the value
  const bool gets = call.request.command != MemcachedOpcode::kTouch;
  plan.edit(call.request.key, kEditCacheTouch, gets ? finish_gat : finish_touch).argument =
      plan.argument;
}

Reply deleted(const FinishInput& input, bool found) {
  count(input, found ? CacheCount::kDeleteHits : CacheCount::kDeleteMisses);
  return found ? done(input, 0) : refused(input, MemcachedStatus::kNotFound);
}
Reply finish_delete(const FinishInput& input) {
  return deleted(input, input.completion.reply_number > 0);
}
Reply finish_delete_if(const FinishInput& input) {
  if (input.completion.reply_code == kCacheExists) return refused(input, MemcachedStatus::kExists);
  return deleted(input, input.completion.reply_code == kCacheStored);
}

void plan_delete(const MemcachedBinaryCall& call, Plan& plan) {
  if (call.request.cas == 0) {
    plan.edit(call.request.key, kEditRemove, finish_delete);
    return;
  }
  put_item_change(plan.argument, change_of(call));
  plan_edit(call, kEditItemRemove, finish_delete_if, plan);
}

KeyspaceStep finish_flush(const cluster::KeyspaceCompletion&, Remembered& remembered) {
  if (remembered.number & kIsQuiet) return {false, 0, Reply::none()};
  return {false, 0, Reply::frame(remembered.text, MemcachedStatus::kOk, {})};
}

void answer(MemcachedStatus status, std::string_view text, Plan& plan) {
  plan.answer(Reply::frame(plan.remembered.text, status, text));
}
void refuse(MemcachedStatus status, Plan& plan) { answer(status, text_of(status), plan); }

void plan_flush(const MemcachedBinaryCall& call, Plan& plan) {
  const uint64_t due_ms = memcached_deadline_ms(call.request.exptime, call.now_ms);
  if (due_ms > call.now_ms) {
    plan.flush_after_ms = due_ms - call.now_ms;
    plan.silent = call.request.quiet;
    return answer(MemcachedStatus::kOk, {}, plan);
  }
  plan.whole_keyspace(cluster::KeyspaceRequest::Kind::kFlush, finish_flush);
}

// SASL's PLAIN: [on whose behalf] NUL user NUL password.
void plan_credentials(const MemcachedBinaryCall& call, Plan& plan) {
  const std::string_view value = call.request.value;
  const size_t first = value.find('\0');
  const size_t second = first == value.npos ? value.npos : value.find('\0', first + 1);
  if (must_wait_to_log_in(call.session, call.facts, call.now, plan)) return;
  call.facts.traffic().note(CacheCount::kAuthCommands);
  const bool right = second != value.npos &&
                     value.substr(first + 1, second - first - 1) == kDefaultUser &&
                     is_password(value.substr(second + 1), call.facts.passwords());
  if (right) {
    call.session.authenticated = true;
    return answer(MemcachedStatus::kOk, "Authenticated", plan);
  }
  call.facts.traffic().note(CacheCount::kAuthErrors);
  call.facts.login_failed(call.session.peer_address);
  refuse(MemcachedStatus::kAuthFailed, plan);
}

// A client may send its credentials with the mechanism, or when it is asked for them.
void plan_login(const MemcachedBinaryCall& call, Plan& plan) {
  if (call.facts.passwords().empty()) return refuse(MemcachedStatus::kUnknownCommand, plan);
  if (call.request.command == MemcachedOpcode::kSaslList) {
    return answer(MemcachedStatus::kOk, kMechanism, plan);
  }
  const bool begins = call.request.command == MemcachedOpcode::kSaslAuth;
  const bool goes_on = begins ? call.request.key == kMechanism : call.session.login_goes_on;
  if (goes_on && begins && call.request.value.empty()) {
    call.session.login_goes_on = true;
    return answer(MemcachedStatus::kAuthContinue, {}, plan);
  }
  if (goes_on) {
    plan_credentials(call, plan);
    if (plan.again_at_us == 0) call.session.login_goes_on = false;
    return;
  }
  call.facts.traffic().note(CacheCount::kAuthCommands);
  call.facts.traffic().note(CacheCount::kAuthErrors);
  refuse(MemcachedStatus::kAuthFailed, plan);
}

Reply finish_refused_set(const FinishInput& input) {
  count(input, CacheCount::kStoreTooLarge);
  return refused(input, MemcachedStatus::kTooLarge);
}

// memcached deletes the old value of a set that it refuses for its size, lest it stay for the new.
void plan_malformed(const MemcachedBinaryCall& call, Plan& plan) {
  const bool too_large = call.request.status == MemcachedStatus::kTooLarge;
  if (too_large && call.request.command == MemcachedOpcode::kSet) {
    plan.edit(call.request.key, kEditRemove, finish_refused_set);
    return;
  }
  if (too_large) call.facts.traffic().note(CacheCount::kStoreTooLarge);
  if (call.request.closes) call.session.closing = true;
  refuse(call.request.status, plan);
}

void plan_command(const MemcachedBinaryCall& call, Plan& plan) {
  switch (call.request.command) {
    case MemcachedOpcode::kGet:
    case MemcachedOpcode::kGetK:
      plan.read(call.request.key, finish_get);
      return;
    case MemcachedOpcode::kSet:
    case MemcachedOpcode::kAdd:
    case MemcachedOpcode::kReplace:
      return plan_store(call, plan);
    case MemcachedOpcode::kAppend:
    case MemcachedOpcode::kPrepend:
      return plan_join(call, plan);
    case MemcachedOpcode::kIncrement:
    case MemcachedOpcode::kDecrement:
      return plan_count(call, plan);
    case MemcachedOpcode::kDelete:
      return plan_delete(call, plan);
    case MemcachedOpcode::kTouch:
    case MemcachedOpcode::kGat:
    case MemcachedOpcode::kGatK:
      return plan_touch(call, plan);
    case MemcachedOpcode::kFlush:
      return plan_flush(call, plan);
    case MemcachedOpcode::kQuit:
      call.session.closing = true;
      plan.silent = call.request.quiet;
      return answer(MemcachedStatus::kOk, {}, plan);
    case MemcachedOpcode::kNoop:
      return answer(MemcachedStatus::kOk, {}, plan);
    case MemcachedOpcode::kVersion:
      return answer(MemcachedStatus::kOk, kMemcachedVersion, plan);
    case MemcachedOpcode::kStat:
      return plan_binary_stats(call, plan);
    case MemcachedOpcode::kSaslList:
    case MemcachedOpcode::kSaslAuth:
    case MemcachedOpcode::kSaslStep:
      return plan_login(call, plan);
    default:
      return refuse(MemcachedStatus::kUnknownCommand, plan);  // the parser has said so before
  }
}

}  // namespace

void plan_memcached_binary(const MemcachedBinaryCall& call, Plan& plan) {
  append_echo(call.request.echo(), plan.remembered.text);
  if (call.request.quiet) plan.remembered.number = kIsQuiet;
  if (call.request.status != MemcachedStatus::kOk) return plan_malformed(call, plan);
  plan_command(call, plan);
  if (is_watched(call.facts)) [[unlikely]]
    watch_command(call, plan);
}

}  // namespace kvorum::server
