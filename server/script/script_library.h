// SPDX-License-Identifier: Apache-2.0
// The scripts of a node by their SHA-1, in memory alone: what EVAL and SCRIPT LOAD brought, and
// what other nodes had (cluster/keyspace/text_operations.h). As a cache of bounded size it forgets
// the oldest; their clients send them again. Any thread.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/mutex.h"
#include "cluster/own/node_parts.h"
#include "server/script/function_libraries.h"

namespace kvorum::server {

struct ScriptBody {
  std::string sha;   // 40 hexadecimal digits, lower case
  std::string text;  // as it came
  std::string code;  // Lua: without its first line, where that says for whom it is
  bool read_only = false;
  bool has_flags = false;  // that line says what it may, and whether that is:
  bool allow_oom = false;  // to write where memory is full
};

class ScriptLibrary final : public cluster::SharedTexts {
 public:
  static constexpr size_t kScriptsMax = 10'000;
  static constexpr size_t kBytesMax = 64 * 1024 * 1024;

  // Null where there is none.
  std::shared_ptr<const ScriptBody> get(std::string_view sha) const;
  void add(std::shared_ptr<const ScriptBody> body);
  size_t count() const;
  size_t bytes() const;
  FunctionLibraries& functions() { return functions_; }
  const FunctionLibraries& functions() const { return functions_; }

  bool find(std::string_view name, std::string* text) override;
  void drop_all() override;

 private:
  using Bodies = std::unordered_map<std::string_view, std::shared_ptr<const ScriptBody>>;

  FunctionLibraries functions_;
  mutable Mutex mutex_;
  Bodies bodies_ KVORUM_GUARDED_BY(mutex_);  // their keys are those of the bodies
  std::deque<std::shared_ptr<const ScriptBody>> order_ KVORUM_GUARDED_BY(mutex_);
  size_t bytes_ KVORUM_GUARDED_BY(mutex_) = 0;
};

}  // namespace kvorum::server
