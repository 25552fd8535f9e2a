// SPDX-License-Identifier: Apache-2.0
#include "server/script/script_task.h"

#include "base/bytes.h"
#include "base/check.h"
#include "server/lua/sha1.h"

namespace kvorum::server {
namespace {

constexpr uint8_t kReadOnly = 1, kResp3 = 2, kFunction = 4, kMonitored = 8, kDeniesGrowth = 16,
                  kMayDebug = 32;

void put_words(std::string& out, std::span<const std::string_view> words) {
  put_varint(out, words.size());
  for (const std::string_view word : words) put_bytes(out, word);
}

void get_words(ByteReader& reader, ScriptWordList* words) {
  words->clear();
  const uint64_t count = reader.varint();
  for (uint64_t at = 0; at < count && reader.ok(); ++at) words->push_back(reader.bytes());
}

}  // namespace

void put_script_task(std::string& out, const ScriptTask& task) {
  KVORUM_CHECK(task.sha.size() == kShaDigits);
  const bool is_new = task.resp == protocol::RespVersion::k3;
  const bool is_function = !task.function.empty();
  put_u8(out, static_cast<uint8_t>(
                  (task.read_only ? kReadOnly : 0) | (is_new ? kResp3 : 0) |
                  (is_function ? kFunction : 0) | (task.is_monitored ? kMonitored : 0) |
                  (task.denies_growth ? kDeniesGrowth : 0) | (task.may_debug ? kMayDebug : 0)));
  put_u8(out, task.keyspace);
  put_varint(out, task.now_us);
  out.append(task.sha);
  put_bytes(out, task.body);
  put_words(out, task.keys.all());
  put_words(out, task.arguments.all());
  if (is_function) put_bytes(out, task.function);
}

bool get_script_task(std::string_view bytes, ScriptTask* task) {
  ByteReader reader(bytes);
  const uint8_t flags = reader.u8();
  task->read_only = (flags & kReadOnly) != 0;
  task->may_debug = (flags & kMayDebug) != 0;
  task->denies_growth = (flags & kDeniesGrowth) != 0;
  task->is_monitored = (flags & kMonitored) != 0;
  task->resp = flags & kResp3 ? protocol::RespVersion::k3 : protocol::RespVersion::k2;
  task->keyspace = reader.u8();
  task->now_us = reader.varint();
  task->sha = reader.take(kShaDigits);
  task->body = reader.bytes();
  get_words(reader, &task->keys);
  get_words(reader, &task->arguments);
  task->function = flags & kFunction ? reader.bytes() : std::string_view();
  return reader.ok() && reader.done();
}

}  // namespace kvorum::server
