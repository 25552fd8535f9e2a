// SPDX-License-Identifier: Apache-2.0
#include "server/memcached/memcached_commands.h"

#include <fmt/format.h>

#include "base/hash.h"
#include "protocol/memcached_line.h"
#include "server/commands/edits.h"
#include "server/commands/password.h"
#include "server/commands/versions.h"
#include "server/commands/words.h"
#include "server/memcached/counting.h"
#include "server/memcached/maintenance_commands.h"
#include "server/memcached/memcached_replies.h"
#include "server/memcached/meta_commands.h"
#include "server/memcached/watching.h"

namespace kvorum::server {
namespace {

using protocol::MemcachedCommand;
using protocol::Reply;

constexpr int64_t kRelativeSecondsMax = 60 * 60 * 24 * 30;
constexpr uint64_t kPastMs = 1;
constexpr std::string_view kBadLogin = "CLIENT_ERROR bad authentication token format";
constexpr std::string_view kEnd = "END\r\n";

Reply stored_reply(const FinishInput& input) {
  switch (static_cast<CacheReply>(input.completion.reply_code)) {
    case kCacheNotStored:
      return Reply::line("NOT_STORED");
    case kCacheExists:
      return Reply::line("EXISTS");
    case kCacheNotFound:
      return Reply::line("NOT_FOUND");
    case kCacheStored:
    case kCacheUnchanged:
      break;
  }
  return Reply::line("STORED");
}

Reply finish_cache_store(const FinishInput& input) {
  count_store(input, false);
  return stored_reply(input);
}

Reply finish_cache_cas(const FinishInput& input) {
  count_store(input, true);
  return stored_reply(input);
}

Reply finish_cache_get(const FinishInput& input) {
  const Versions versions = seen(input);
  count_get(input, !versions.empty());
  if (versions.empty()) return Reply::none();
  return Reply::value_item(input.key, versions[0].flags, versions[0].bytes);
}

// Every sibling is an item of its own, all with one cas unique.
Reply finish_cache_gets(const FinishInput& input) {
  const Versions versions = seen(input);
  count_get(input, !versions.empty());
  if (versions.empty()) return Reply::none();
  const uint64_t unique = cas_unique(versions);
  if (versions.size() == 1) {
    return Reply::value_item(input.key, versions[0].flags, versions[0].bytes).with_cas(unique);
  }
  std::vector<Reply> items;
  for (const cluster::Version& version : versions) {
    items.push_back(Reply::value_item(input.key, version.flags, version.bytes).with_cas(unique));
  }
  return Reply::array(std::move(items));
}

void plan_get(const MemcachedCall& call, Plan& plan) {
  const bool with_cas = call.request.command == MemcachedCommand::kGets;
  for (std::string_view key : call.request.keys()) {
    plan.read(key, with_cas ? finish_cache_gets : finish_cache_get);
  }
  if (plan.requests.size() > 1) plan.gather = Gather::kConcatenate;
  plan.keeps_key = true;
  plan.trailer = kEnd;
}

Reply finish_cache_gat(const FinishInput& input) {
  if (!count_touch(input)) return Reply::none();
  const TouchedItem item = touched_item(input.completion);
  return Reply::value_item(input.key, item.flags, item.value);
}

Reply finish_cache_gats(const FinishInput& input) {
  if (!count_touch(input)) return Reply::none();
  const TouchedItem item = touched_item(input.completion);
  return Reply::value_item(input.key, item.flags, item.value).with_cas(item.unique);
}

void put_touch(const MemcachedCall& call, bool wants_value, Plan& plan) {
  put_varint(plan.argument, memcached_deadline_ms(call.request.exptime, call.now_ms));
  put_u8(plan.argument, wants_value ? 1 : 0);
}

void plan_gat(const MemcachedCall& call, Plan& plan) {
  const bool with_cas = call.request.command == MemcachedCommand::kGats;
  put_touch(call, true, plan);
  for (std::string_view key : call.request.keys()) {
    cluster::Request& request =
        plan.edit(key, kEditCacheTouch, with_cas ? finish_cache_gats : finish_cache_gat);
    request.argument = plan.argument;
  }
  if (plan.requests.empty()) return plan.answer(Reply::line("END"));
  if (plan.requests.size() > 1) plan.gather = Gather::kConcatenate;
  plan.keeps_key = true;
  plan.trailer = kEnd;
}

Reply finish_cache_touch(const FinishInput& input) {
  return Reply::line(count_touch(input) ? "TOUCHED" : "NOT_FOUND");
}

void plan_touch(const MemcachedCall& call, Plan& plan) {
  put_touch(call, false, plan);
  plan.edit(call.request.key(), kEditCacheTouch, finish_cache_touch).argument = plan.argument;
}

void plan_store(const MemcachedCall& call, cluster::EditCode code, Plan& plan) {
  if (code == kEditCacheCas) put_u64(plan.argument, call.request.cas);
  put_value_options(plan.argument,
                    {memcached_deadline_ms(call.request.exptime, call.now_ms), call.request.flags});
  cluster::Request& request = plan.edit(
      call.request.key(), code, code == kEditCacheCas ? finish_cache_cas : finish_cache_store);
  request.argument = plan.argument;
  request.value = call.request.value;
}

void plan_join(const MemcachedCall& call, Plan& plan) {
  put_u8(plan.argument, call.request.command == MemcachedCommand::kPrepend ? 1 : 0);
  put_varint(plan.argument, call.facts.item_bytes_max());
  cluster::Request& request = plan.edit(call.request.key(), kEditCacheJoin, finish_cache_store);
  request.argument = plan.argument;
  request.value = call.request.value;
}

Reply count_reply(const FinishInput& input, bool found) {
  return Reply::line(found ? input.completion.reply_bytes : "NOT_FOUND");
}
Reply finish_cache_incr(const FinishInput& input) {
  return count_reply(input, count_found(input, CacheCount::kIncrHits, CacheCount::kIncrMisses));
}
Reply finish_cache_decr(const FinishInput& input) {
  return count_reply(input, count_found(input, CacheCount::kDecrHits, CacheCount::kDecrMisses));
}

void plan_count(const MemcachedCall& call, Plan& plan) {
  const bool down = call.request.command == MemcachedCommand::kDecr;
  put_u8(plan.argument, down ? 1 : 0);
  put_u64(plan.argument, call.request.delta);
  plan.edit(call.request.key(), kEditCacheCount, down ? finish_cache_decr : finish_cache_incr)
      .argument = plan.argument;
}

Reply finish_cache_delete(const FinishInput& input) {
  const bool found = input.completion.reply_number > 0;
  count(input, found ? CacheCount::kDeleteHits : CacheCount::kDeleteMisses);
  return Reply::line(found ? "DELETED" : "NOT_FOUND");
}

KeyspaceStep finish_cache_flush(const cluster::KeyspaceCompletion&, Remembered&) {
  return {false, 0, Reply::line("OK")};
}

// With a delay the answer comes at once and the flush at its time.
void plan_cache_flush(const MemcachedCall& call, Plan& plan) {
  const uint64_t due_ms = memcached_deadline_ms(call.request.exptime, call.now_ms);
  if (due_ms > call.now_ms) {
    plan.flush_after_ms = due_ms - call.now_ms;
    return plan.answer(Reply::line("OK"));
  }
  plan.whole_keyspace(cluster::KeyspaceRequest::Kind::kFlush, finish_cache_flush);
}

// memcached's ASCII authentication: the first request is a set whose value is "user password".
void plan_login(const MemcachedCall& call, Plan& plan) {
  if (call.request.command != MemcachedCommand::kSet) {
    return plan.fail(protocol::kMemcachedUnauthenticated);
  }
  const std::string_view value = call.request.value;
  const size_t blank = value.find(' ');
  if (blank != value.npos && must_wait_to_log_in(call.session, call.facts, call.now, plan)) return;
  call.facts.traffic().note(CacheCount::kAuthCommands);
  if (blank == value.npos) {
    call.facts.traffic().note(CacheCount::kAuthErrors);
    return plan.fail(kBadLogin);
  }
  const bool right = value.substr(0, blank) == kDefaultUser &&
                     is_password(value.substr(blank + 1), call.facts.passwords());
  if (!right) {
    call.facts.traffic().note(CacheCount::kAuthErrors);
    call.facts.login_failed(call.session.peer_address);
    return plan.fail("CLIENT_ERROR authentication failure");
  }
  call.session.authenticated = true;
  plan.answer(Reply::line("STORED"));
}

Reply finish_refused_set(const FinishInput& input) {
  count(input, CacheCount::kStoreTooLarge);
  return Reply::error(input.remembered.text);
}

// memcached deletes the old value of a set that it refuses for its size, lest it stay for the new.
void plan_malformed(const MemcachedCall& call, Plan& plan) {
  const bool too_large = call.request.error == protocol::kMemcachedTooLarge;
  if (!too_large || call.request.command != MemcachedCommand::kSet || call.request.key().empty()) {
    if (too_large) call.facts.traffic().note(CacheCount::kStoreTooLarge);
    return plan.fail(call.request.error);
  }
  plan.remembered.text = call.request.error;
  plan.edit(call.request.key(), kEditRemove, finish_refused_set);
}

void plan_command(const MemcachedCall& call, Plan& plan) {
  switch (call.request.command) {
    case MemcachedCommand::kGet:
    case MemcachedCommand::kGets:
      return plan_get(call, plan);
    case MemcachedCommand::kGat:
    case MemcachedCommand::kGats:
      return plan_gat(call, plan);
    case MemcachedCommand::kSet:
      return plan_store(call, kEditSet, plan);
    case MemcachedCommand::kAdd:
      return plan_store(call, kEditCacheAdd, plan);
    case MemcachedCommand::kReplace:
      return plan_store(call, kEditCacheReplace, plan);
    case MemcachedCommand::kCas:
      return plan_store(call, kEditCacheCas, plan);
    case MemcachedCommand::kAppend:
    case MemcachedCommand::kPrepend:
      return plan_join(call, plan);
    case MemcachedCommand::kIncr:
    case MemcachedCommand::kDecr:
      return plan_count(call, plan);
    case MemcachedCommand::kTouch:
      return plan_touch(call, plan);
    case MemcachedCommand::kDelete:
      plan.edit(call.request.key(), kEditRemove, finish_cache_delete);
      return;
    case MemcachedCommand::kFlushAll:
      return plan_cache_flush(call, plan);
    case MemcachedCommand::kVersion:
      return plan.answer(Reply::line_owned(fmt::format("VERSION {}", kMemcachedVersion)));
    case MemcachedCommand::kVerbosity:
      return plan.answer(Reply::line("OK"));
    case MemcachedCommand::kStats:
      if (call.request.words.size() > 1 && call.request.words[1] == "cachedump") {
        return plan_cachedump(call, plan);
      }
      return plan_stats(call, plan);
    case MemcachedCommand::kQuit:
      call.session.closing = true;
      return;
    case MemcachedCommand::kMetaNoop:
    case MemcachedCommand::kMetaGet:
    case MemcachedCommand::kMetaSet:
    case MemcachedCommand::kMetaDelete:
    case MemcachedCommand::kMetaArithmetic:
    case MemcachedCommand::kMetaDebug:
      return plan_meta(call, plan);
    case MemcachedCommand::kMaintenance:
      return plan_maintenance(call, plan);
    case MemcachedCommand::kUnknown:
      return plan.fail(protocol::kMemcachedError);
  }
}

}  // namespace

uint64_t memcached_deadline_ms(int64_t exptime, uint64_t now_ms) {
  if (exptime == 0) return 0;
  if (exptime < 0) return kPastMs;
  const uint64_t time_ms = static_cast<uint64_t>(exptime) * 1000;
  return exptime <= kRelativeSecondsMax ? now_ms + time_ms : time_ms;
}

uint64_t version_unique(const cluster::Version& version) {
  constexpr uint64_t kFlagsFactor = 0x9e3779b97f4a7c15ULL;
  if (version.marks & cluster::kMarkNamed) return version.origin;
  return xxh64(version.bytes, cluster::origin_of(version) + version.flags * kFlagsFactor);
}

uint64_t cas_unique(const Versions& versions) {
  uint64_t unique = 0;
  for (const cluster::Version& version : versions) unique += version_unique(version);
  return unique;
}

void plan_memcached(const MemcachedCall& call, Plan& plan) {
  plan.silent = call.request.noreply;
  if (!call.session.authenticated && call.request.command != MemcachedCommand::kQuit) {
    plan.silent = false;
    if (call.request.error.empty()) return plan_login(call, plan);
    const bool is_set = call.request.command == MemcachedCommand::kSet;
    return plan.fail(is_set ? kBadLogin : protocol::kMemcachedUnauthenticated);
  }
  const std::string_view error = call.request.error;
  // Of a block whose line was read, the flags are looked at first.
  const bool of_block =
      error == protocol::kMemcachedTooLarge || error == protocol::kMemcachedBadChunk;
  if (of_block && call.request.command == MemcachedCommand::kMetaSet) return plan_meta(call, plan);
  if (!error.empty()) return plan_malformed(call, plan);
  plan_command(call, plan);
  if (is_watched(call.facts)) [[unlikely]]
    watch_command(call, plan);
}

}  // namespace kvorum::server
