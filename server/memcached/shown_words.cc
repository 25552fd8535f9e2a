// SPDX-License-Identifier: Apache-2.0
#include "server/memcached/shown_words.h"

namespace kvorum::server {
namespace {

using protocol::MemcachedOpcode;

struct OpcodeName {
  MemcachedOpcode opcode;
  std::string_view name;
};
constexpr OpcodeName kNames[] = {
    {MemcachedOpcode::kGet, "get"},
    {MemcachedOpcode::kGetK, "get"},
    {MemcachedOpcode::kGat, "gat"},
    {MemcachedOpcode::kGatK, "gat"},
    {MemcachedOpcode::kSet, "set"},
    {MemcachedOpcode::kAdd, "add"},
    {MemcachedOpcode::kReplace, "replace"},
    {MemcachedOpcode::kDelete, "delete"},
    {MemcachedOpcode::kIncrement, "incr"},
    {MemcachedOpcode::kDecrement, "decr"},
    {MemcachedOpcode::kAppend, "append"},
    {MemcachedOpcode::kPrepend, "prepend"},
    {MemcachedOpcode::kTouch, "touch"},
    {MemcachedOpcode::kFlush, "flush_all"},
    {MemcachedOpcode::kNoop, "noop"},
    {MemcachedOpcode::kVersion, "version"},
    {MemcachedOpcode::kStat, "stats"},
    {MemcachedOpcode::kQuit, "quit"},
    {MemcachedOpcode::kVerbosity, "verbosity"},
};

}  // namespace

std::vector<std::string_view> shown_words(const protocol::MemcachedRequest& request) {
  std::vector<std::string_view> words = request.words;
  if (!request.value.empty()) words.push_back(request.value);
  return words;
}

std::vector<std::string_view> shown_words(const protocol::MemcachedBinaryRequest& request) {
  for (const auto& [opcode, name] : kNames) {
    if (opcode != request.command) continue;
    std::vector<std::string_view> words = {name};
    if (!request.key.empty()) words.push_back(request.key);
    if (!request.value.empty()) words.push_back(request.value);
    return words;
  }
  return {"auth"};
}

}  // namespace kvorum::server
