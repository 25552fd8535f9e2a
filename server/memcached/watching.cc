// SPDX-License-Identifier: Apache-2.0
#include "server/memcached/watching.h"

#include <fmt/format.h>

#include <memory>
#include <optional>

#include "protocol/number_text.h"
#include "server/commands/words.h"
#include "server/memcached/item_edits.h"
#include "server/memcached/memcached_replies.h"

namespace kvorum::server {
namespace {

using protocol::MemcachedCommand;
using protocol::MemcachedOpcode;
using protocol::Reply;

// What is told of a command.
struct Told {
  enum class Kind : uint8_t { kNothing, kFetch, kStore, kDeletion };
  Kind kind = Kind::kNothing;
  std::string_view command{};  // static text
  int64_t exptime = 0;
  size_t bytes = 0;        // of a store's value
  bool too_large = false;  // it is refused
  bool compares = false;   // a deletion by an edit that may look at the unique (kEditItemRemove)
};

struct Watched : RememberedState {
  Finish finish = nullptr;
  Told told;
  uint64_t client = 0;
  uint64_t lifetime_s = 0;
};

std::string_view store_status(const Told& told, const FinishInput& input) {
  if (told.too_large) return "too_large";
  switch (static_cast<CacheReply>(input.completion.reply_code)) {
    case kCacheNotStored:
      return "not_stored";
    case kCacheExists:
      return "exists";
    case kCacheNotFound:
      return "not_found";
    case kCacheStored:
    case kCacheUnchanged:
      break;
  }
  return "stored";
}

// Of a read the size is known, of an edit whether there was something.
std::optional<size_t> found_bytes(const FinishInput& input) {
  if (input.completion.object == nullptr) {
    if (input.completion.reply_code == kCacheNotFound) return {};
    return 0;
  }
  const Versions versions = seen(input);
  if (versions.empty()) return {};
  return versions[0].bytes.size();
}

bool was_deleted(const Told& told, const FinishInput& input) {
  return told.compares ? input.completion.reply_code == kCacheStored
                       : input.completion.reply_number > 0;
}

void tell(const Watched& watched, const FinishInput& input) {
  WatchDesk& desk = *input.facts.watchers();
  std::string key;
  append_uri_encoded(input.key, key);
  switch (watched.told.kind) {
    case Told::Kind::kNothing:
      return;
    case Told::Kind::kFetch: {
      const std::optional<size_t> bytes = found_bytes(input);
      return desk.tell(
          kWatchFetchers,
          fmt::format("type=item_get key={} status={} clsid=1 cfd={} size={}", key,
                      bytes ? "found" : "not_found", watched.client, bytes.value_or(0)));
    }
    case Told::Kind::kStore:
      return desk.tell(
          kWatchMutations,
          fmt::format("type=item_store key={} status={} cmd={} ttl={} clsid=1 cfd={} size={}", key,
                      store_status(watched.told, input), watched.told.command, watched.lifetime_s,
                      watched.client, watched.told.bytes));
    case Told::Kind::kDeletion:
      if (!was_deleted(watched.told, input)) return;
      return desk.tell(kWatchDeletions, fmt::format("type=deleted key={} cmd={} clsid=1 size=0",
                                                    key, watched.told.command));
  }
}

Reply finish_watched(const FinishInput& input) {
  const Watched& watched = static_cast<const Watched&>(*input.remembered.state);
  Reply reply = watched.finish(input);
  // An edit that follows ends the command.
  if (reply.kind() != Reply::Kind::kFollowUp) tell(watched, input);
  return reply;
}

void wrap(const Told& told, const SessionState& session, uint64_t now_ms, Plan& plan) {
  if (plan.kind != Plan::Kind::kOperations || told.kind == Told::Kind::kNothing) return;
  auto watched = std::make_shared<Watched>();
  watched->finish = plan.finish;
  watched->told = told;
  watched->client = session.id;
  const uint64_t deadline_ms = memcached_deadline_ms(told.exptime, now_ms);
  if (deadline_ms > now_ms) watched->lifetime_s = (deadline_ms - now_ms) / 1000;
  plan.finish = finish_watched;
  plan.keeps_key = true;
  plan.remembered.state = std::move(watched);
}

// The token of a meta command's flag; nothing where it has none.
std::string_view token_of(const MemcachedCall& call, size_t first, char flag) {
  for (size_t i = first; i < call.request.words.size(); ++i) {
    const std::string_view word = call.request.words[i];
    if (word.starts_with(flag)) return word;
  }
  return {};
}

Told of_meta_set(const MemcachedCall& call) {
  Told told{Told::Kind::kStore, "set", 0, call.request.value.size(), !call.request.error.empty()};
  const std::string_view mode = token_of(call, 3, 'M');
  const char letter = mode.size() > 1 ? static_cast<char>(mode[1] & ~0x20) : 'S';
  if (letter == 'E') told.command = "add";
  if (letter == 'A') told.command = "append";
  if (letter == 'P') told.command = "prepend";
  if (letter == 'R') told.command = "replace";
  if (!token_of(call, 3, 'C').empty()) told.command = "cas";
  const std::string_view exptime = token_of(call, 3, 'T');
  if (!exptime.empty()) told.exptime = protocol::parse_int64(exptime.substr(1)).value_or(0);
  return told;
}

Told told_of(const MemcachedCall& call) {
  const auto store = [&](std::string_view command) {
    return Told{Told::Kind::kStore, command, call.request.exptime, call.request.value.size(),
                false};
  };
  switch (call.request.command) {
    case MemcachedCommand::kGet:
    case MemcachedCommand::kGets:
    case MemcachedCommand::kGat:
    case MemcachedCommand::kGats:
    case MemcachedCommand::kTouch:
    case MemcachedCommand::kIncr:
    case MemcachedCommand::kDecr:
    case MemcachedCommand::kMetaGet:
    case MemcachedCommand::kMetaArithmetic:
      return {.kind = Told::Kind::kFetch};
    case MemcachedCommand::kSet:
      return store("set");
    case MemcachedCommand::kAdd:
      return store("add");
    case MemcachedCommand::kReplace:
      return store("replace");
    case MemcachedCommand::kAppend:
      return store("append");
    case MemcachedCommand::kPrepend:
      return store("prepend");
    case MemcachedCommand::kCas:
      return store("cas");
    case MemcachedCommand::kMetaSet:
      return of_meta_set(call);
    case MemcachedCommand::kDelete:
      return {.kind = Told::Kind::kDeletion, .command = "delete"};
    case MemcachedCommand::kMetaDelete:
      if (!token_of(call, 2, 'I').empty()) return {};  // it becomes stale
      return {.kind = Told::Kind::kDeletion, .command = "md", .compares = true};
    default:
      return {};
  }
}

Told told_of(const MemcachedBinaryCall& call) {
  const auto store = [&](std::string_view command) {
    return Told{Told::Kind::kStore, call.request.cas != 0 ? "cas" : command, call.request.exptime,
                call.request.value.size(), false};
  };
  switch (call.request.command) {
    case MemcachedOpcode::kGet:
    case MemcachedOpcode::kGetK:
    case MemcachedOpcode::kGat:
    case MemcachedOpcode::kGatK:
    case MemcachedOpcode::kTouch:
    case MemcachedOpcode::kIncrement:
    case MemcachedOpcode::kDecrement:
      return {.kind = Told::Kind::kFetch};
    case MemcachedOpcode::kSet:
      return store("set");
    case MemcachedOpcode::kAdd:
      return store("add");
    case MemcachedOpcode::kReplace:
      return store("replace");
    case MemcachedOpcode::kAppend:
      return store("append");
    case MemcachedOpcode::kPrepend:
      return store("prepend");
    case MemcachedOpcode::kDelete:
      return {
          .kind = Told::Kind::kDeletion, .command = "delete", .compares = call.request.cas != 0};
    default:
      return {};
  }
}

struct StreamName {
  std::string_view name;
  uint8_t stream;  // 0: nothing of it happens here, or is told
};
constexpr StreamName kStreamNames[] = {{"fetchers", kWatchFetchers},
                                       {"mutations", kWatchMutations},
                                       {"deletions", kWatchDeletions},
                                       {"connevents", kWatchConnections},
                                       {"evictions", kWatchEvictions},
                                       {"sysevents", 0},
                                       {"rawcmds", 0},
                                       {"proxyreqs", 0},
                                       {"proxyevents", 0},
                                       {"proxyuser", 0}};

const StreamName* find_stream(std::string_view name) {
  for (const StreamName& each : kStreamNames) {
    if (each.name == name) return &each;
  }
  return nullptr;
}

}  // namespace

void watch_command(const MemcachedCall& call, Plan& plan) {
  wrap(told_of(call), call.session, call.now_ms, plan);
}

void watch_command(const MemcachedBinaryCall& call, Plan& plan) {
  wrap(told_of(call), call.session, call.now_ms, plan);
}

void plan_watch(const MemcachedCall& call, Plan& plan) {
  const std::span<const std::string_view> words = call.request.words;
  uint8_t streams = words.size() < 2 ? kWatchFetchers : 0;
  for (const std::string_view word : words.subspan(1)) {
    const StreamName* const known = find_stream(word);
    if (known == nullptr) return plan.fail("ERROR");
    streams = static_cast<uint8_t>(streams | known->stream);
  }
  if (streams == 0) return plan.fail("SERVER_ERROR nothing of that is told here");
  WatchDesk* const desk = call.facts.watchers();
  if (desk == nullptr || !desk->watch(call.session, streams)) {
    return plan.answer(Reply::line("WATCHER_TOO_MANY log watcher limit reached"));
  }
  plan.answer(Reply::line("OK"));
}

void append_uri_encoded(std::string_view key, std::string& out) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  for (const char letter : key) {
    const auto byte = static_cast<unsigned char>(letter);
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                       (letter >= '0' && letter <= '9') || letter == '-' || letter == '_' ||
                       letter == '.' || letter == '~';
    if (plain) {
      out.push_back(letter);
    } else {
      out.append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
    }
  }
}

}  // namespace kvorum::server
