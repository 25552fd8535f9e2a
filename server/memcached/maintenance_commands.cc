// SPDX-License-Identifier: Apache-2.0
#include "server/memcached/maintenance_commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "protocol/memcached_line.h"
#include "protocol/memcached_parser.h"
#include "protocol/number_text.h"
#include "server/config/config.h"
#include "server/memcached/watching.h"

namespace kvorum::server {
namespace {

using cluster::KeyspaceCompletion;
using cluster::KeyspaceRequest;
using protocol::Reply;

constexpr uint64_t kOnlyClass = 1;  // of slabs
constexpr uint64_t kClassesMax = 64;
constexpr uint32_t kKeysBatch = 1000;
constexpr size_t kDumpBytesMax = 256 * 1024 * 1024;

// Keys without blanks and control characters are told as they are, for memcached's clients can name
// no others.
bool is_plain(std::string_view key) {
  for (const char letter : key) {
    if (static_cast<unsigned char>(letter) <= ' ' || letter == '\x7f') return false;
  }
  return key.size() <= protocol::MemcachedLimits().key_bytes_max;
}

// What a dump tells of a key: what this node's copy says; nothing where it has none in memory.
struct DumpedItem {
  uint64_t deadline_ms = 0, written_ms = 0, unique = 0, bytes = 0;
};

struct Dump : RememberedState {
  Dump(NodeFacts& from, uint8_t of) : facts(from), keyspace(of) {}
  NodeFacts& facts;
  const uint8_t keyspace;

  DumpedItem item(const std::string& key) const {
    DumpedItem found;
    facts.show_own_copy(keyspace, key, [&](const cluster::Object& object) {
      for (const cluster::Version& version : object.versions) {
        if (version.type == cluster::TypeTag::kTombstone) continue;
        found.unique += version_unique(version);
        if (version.dot.hlc.ms() < found.written_ms) continue;
        found.written_ms = version.dot.hlc.ms();
        found.deadline_ms = version.deadline_ms;
        found.bytes = version.bytes.size();
      }
    });
    return found;
  }
};

void write_cached(const std::string& key, const Dump& dump, std::string& out) {
  if (!is_plain(key)) return;
  const DumpedItem item = dump.item(key);
  fmt::format_to(std::back_inserter(out), "ITEM {} [{} b; {} s]\r\n", key, item.bytes,
                 item.deadline_ms / 1000);
}

void write_meta(const std::string& key, const Dump& dump, std::string& out) {
  const DumpedItem item = dump.item(key);
  out.append("key=");
  append_uri_encoded(key, out);
  const int64_t deadline =
      item.deadline_ms == 0 ? -1 : static_cast<int64_t>(item.deadline_ms / 1000);
  fmt::format_to(std::back_inserter(out), " exp={} la={} cas={} fetch=no cls=1 size={}\n", deadline,
                 item.written_ms / 1000, item.unique, item.bytes);
}

void write_get(const std::string& key, const Dump&, std::string& out) {
  if (is_plain(key)) out.append("mg ").append(key).append("\r\n");
}

// Remembered::second keys are still to be told.
template <void (*kWrite)(const std::string& key, const Dump& dump, std::string& out)>
KeyspaceStep finish_dump(const KeyspaceCompletion& completion, Remembered& remembered,
                         std::string_view end) {
  const Dump& dump = static_cast<const Dump&>(*remembered.state);
  for (const std::string& key : completion.keys) {
    if (remembered.second == 0) break;
    kWrite(key, dump, remembered.gathered);
    --remembered.second;
  }
  if (remembered.gathered.size() > kDumpBytesMax) {
    return {false, 0, Reply::error("SERVER_ERROR too many keys")};
  }
  const bool more = completion.cursor != 0 && remembered.second > 0;
  if (more) return {true, completion.cursor, {}};
  return {false, 0, Reply::preformatted_owned(remembered.gathered.append(end))};
}

KeyspaceStep finish_cachedump(const KeyspaceCompletion& completion, Remembered& remembered) {
  return finish_dump<write_cached>(completion, remembered, "END\r\n");
}
KeyspaceStep finish_metadump(const KeyspaceCompletion& completion, Remembered& remembered) {
  return finish_dump<write_meta>(completion, remembered, "END\r\n");
}
KeyspaceStep finish_mgdump(const KeyspaceCompletion& completion, Remembered& remembered) {
  return finish_dump<write_get>(completion, remembered, "EN\r\n");
}

void plan_dump(const MemcachedCall& call, KeyspaceFinish finish, uint64_t keys_max, Plan& plan) {
  plan.remembered.state = std::make_shared<const Dump>(call.facts, call.session.keyspace);
  plan.remembered.second =
      static_cast<int64_t>(std::min<uint64_t>(keys_max, std::numeric_limits<int64_t>::max()));
  plan.whole_keyspace(KeyspaceRequest::Kind::kScan, finish);
  plan.keyspace_request.count = kKeysBatch;
}

void plan_crawler(const MemcachedCall& call, Plan& plan) {
  const std::span<const std::string_view> words = call.request.words;
  const std::string_view what = words.size() > 1 ? words[1] : std::string_view();
  const bool dumps = what == "metadump" || what == "mgdump";
  if (!dumps) return words.size() > 1 ? plan.answer(Reply::line("OK")) : plan.fail("ERROR");
  if (words.size() < 3) return plan.fail("ERROR");
  const std::string_view classes = words[2];
  const bool has_items = classes == "all" || classes == "hash" || classes == "1";
  if (!has_items) return plan.answer(Reply::line(what == "mgdump" ? "EN" : "END"));
  plan_dump(call, what == "mgdump" ? finish_mgdump : finish_metadump, UINT64_MAX, plan);
}

// `cache_memlimit megabytes`: engine.memory, until the file is read again.
void plan_memory_limit(const MemcachedCall& call, Plan& plan) {
  constexpr uint64_t kMegabytesMin = 8;
  const std::span<const std::string_view> words = call.request.words;
  if (words.size() < 2) return plan.fail("ERROR");
  const std::optional<uint64_t> megabytes = protocol::parse_lax_uint64(words[1]);
  if (!megabytes || *megabytes > UINT32_MAX) return plan.fail("ERROR");
  if (*megabytes < kMegabytesMin) {
    return plan.answer(Reply::line("MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m"));
  }
  if (!call.facts.config()) {
    return plan.answer(Reply::line("MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust"));
  }
  call.facts.change_config([&](Config& config) { config.engine.memory_bytes = *megabytes << 20; });
  plan.answer(Reply::line("OK"));
}

}  // namespace

void plan_cachedump(const MemcachedCall& call, Plan& plan) {
  const std::span<const std::string_view> words = call.request.words;
  if (words.size() < 4) return plan.fail("CLIENT_ERROR bad command line");
  const std::optional<uint64_t> slab = protocol::parse_lax_uint64(words[2]);
  const std::optional<uint64_t> limit = protocol::parse_lax_uint64(words[3]);
  if (!slab || !limit) return plan.fail(protocol::kMemcachedBadFormat);
  if (*slab >= kClassesMax) return plan.fail("CLIENT_ERROR Illegal slab id");
  if (*slab != kOnlyClass) return plan.answer(Reply::line("END"));
  plan_dump(call, finish_cachedump, *limit == 0 ? UINT64_MAX : *limit, plan);
}

void plan_maintenance(const MemcachedCall& call, Plan& plan) {
  const std::string_view command = call.request.words[0];
  if (command == "lru_crawler") return plan_crawler(call, plan);
  if (command == "shutdown") return plan.answer(Reply::line("ERROR: shutdown not enabled"));
  if (command == "watch") return plan_watch(call, plan);
  if (command == "cache_memlimit") return plan_memory_limit(call, plan);
  const std::span<const std::string_view> words = call.request.words;
  const std::string_view what = words.size() > 1 ? words[1] : std::string_view();
  const bool is_known = command != "lru" || what == "mode" || what == "tune" || what == "temp_ttl";
  if (!is_known) return plan.fail("ERROR");
  if (what == "reassign") return plan.fail("SERVER_ERROR there are no slabs to reassign");
  if (what == "automove" && (words.size() < 3 || !protocol::parse_lax_uint64(words[2]))) {
    return plan.fail(words.size() < 3 ? "ERROR" : protocol::kMemcachedBadFormat);
  }
  plan.answer(Reply::line("OK"));
}

}  // namespace kvorum::server
