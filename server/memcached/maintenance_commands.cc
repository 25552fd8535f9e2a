// SPDX-License-Identifier: Apache-2.0
#include "server/memcached/maintenance_commands.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "protocol/memcached_line.h"
#include "protocol/memcached_parser.h"
#include "protocol/number_text.h"

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

void append_percent_encoded(std::string_view key, std::string& out) {
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

void write_cached(std::string_view key, std::string& out) {
  if (is_plain(key)) out.append("ITEM ").append(key).append(" [0 b; 0 s]\r\n");
}

void write_meta(std::string_view key, std::string& out) {
  out.append("key=");
  append_percent_encoded(key, out);
  out.append(" exp=0 la=0 cas=0 fetch=no cls=1 size=0\n");
}

void write_get(std::string_view key, std::string& out) {
  if (is_plain(key)) out.append("mg ").append(key).append("\r\n");
}

// Remembered::second keys are still to be told.
template <void (*kWrite)(std::string_view key, std::string& out)>
KeyspaceStep finish_dump(const KeyspaceCompletion& completion, Remembered& remembered,
                         std::string_view end) {
  for (const std::string& key : completion.keys) {
    if (remembered.second == 0) break;
    kWrite(key, remembered.gathered);
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

void plan_dump(KeyspaceFinish finish, uint64_t keys_max, Plan& plan) {
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
  plan_dump(what == "mgdump" ? finish_mgdump : finish_metadump, UINT64_MAX, plan);
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
  plan_dump(finish_cachedump, *limit == 0 ? UINT64_MAX : *limit, plan);
}

void plan_maintenance(const MemcachedCall& call, Plan& plan) {
  const std::string_view command = call.request.words[0];
  if (command == "lru_crawler") return plan_crawler(call, plan);
  if (command == "shutdown") return plan.answer(Reply::line("ERROR: shutdown not enabled"));
  if (command == "watch") return plan.fail("SERVER_ERROR watch is not supported; see the log");
  if (command == "cache_memlimit") {
    return plan.fail("SERVER_ERROR cache_memlimit is not supported; see engine.memory");
  }
  const bool moves = call.request.words.size() > 1 && call.request.words[1] == "reassign";
  if (moves) return plan.fail("SERVER_ERROR there are no slabs to reassign");
  plan.answer(Reply::line("OK"));
}

}  // namespace kvorum::server
