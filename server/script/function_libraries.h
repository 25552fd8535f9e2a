// SPDX-License-Identifier: Apache-2.0
// The libraries of functions that a node knows (FUNCTION LOAD), as its whole cluster has them: of
// each name the newest text or removal wins, by its stamp and then its origin, so that nodes which
// learn of the same changes in any order have the same (SharedLibraries, node_parts.h). A removal
// is kept, so that it wins over what a node that was away still has. Any thread.
//
//   put_all(): u8 version, varint count, then each, in the order of their names:
//     bytes name, varint stamp, u64 origin, u8 removed, bytes text,
//     varint functions, then each: bytes name, bytes description, u8 flags
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "cluster/own/node_parts.h"

namespace kvorum::server {

struct LibraryFunction {
  // In the order of Redis, whose names for them are kFunctionFlagNames.
  static constexpr uint8_t kNoWrites = 1, kAllowOom = 2, kAllowStale = 4, kNoCluster = 8,
                           kAllowCrossSlotKeys = 16, kHasDescription = 128;

  std::string name, description;
  uint8_t flags = 0;
};
inline constexpr std::string_view kFunctionFlagNames[] = {"no-writes", "allow-oom", "allow-stale",
                                                          "no-cluster", "allow-cross-slot-keys"};

struct FunctionLibrary {
  std::string name;
  std::string text;  // as it came
  std::string sha;   // of the text, 40 hexadecimal digits
  std::vector<LibraryFunction> functions;
  uint64_t stamp_us = 0;  // Unix time, or more where the one before had as much
  uint64_t origin = 0;    // the node's id
  bool removed = false;   // there is no text

  // Lua: without the first line, which says the name.
  std::string_view code() const;
  // In any case of letters, as in Redis.
  const LibraryFunction* find(std::string_view function) const;
};

// Letters, digits and underscores.
bool is_library_name(std::string_view name);

class FunctionLibraries final : public cluster::SharedLibraries {
 public:
  static constexpr size_t kBytesMax = 16 * 1024 * 1024;  // of all texts

  using Shared = std::shared_ptr<const FunctionLibrary>;
  struct Found {
    Shared library;  // null: there is none
    const LibraryFunction* function = nullptr;
  };
  Found find(std::string_view function) const;
  Shared library(std::string_view name) const;
  // By their names; without those that were removed.
  std::vector<Shared> all() const;

  // Gives it its stamp. Why it cannot be added, in Redis's words; empty where it was.
  std::string add(FunctionLibrary library, bool replaces, uint64_t now_us);
  struct Removal {
    uint64_t origin = 0, now_us = 0;
  };
  // False where there is none of this name.
  bool remove(std::string_view name, const Removal& removal);
  void remove_all(const Removal& removal);
  // Goes up with each change.
  uint64_t generation() const;

  uint64_t digest() const override;
  void put_all(std::string& out) const override;
  bool merge(std::string_view bytes) override;

 private:
  void keep(FunctionLibrary library) KVORUM_REQUIRES(mutex_);
  bool drop(std::string_view name, const Removal& removal) KVORUM_REQUIRES(mutex_);
  // Behind all that was kept: what follows from the libraries.
  void settle() KVORUM_REQUIRES(mutex_);
  uint64_t next_stamp(std::string_view name, uint64_t now_us) const KVORUM_REQUIRES(mutex_);
  const Shared* find_live(std::string_view name) const KVORUM_REQUIRES(mutex_);
  void put(std::string& out) const KVORUM_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, Shared, std::less<>> libraries_ KVORUM_GUARDED_BY(mutex_);
  std::unordered_map<std::string, Found> functions_ KVORUM_GUARDED_BY(mutex_);  // small letters
  uint64_t generation_ KVORUM_GUARDED_BY(mutex_) = 0;
  uint64_t digest_ KVORUM_GUARDED_BY(mutex_) = 0;
};

}  // namespace kvorum::server
