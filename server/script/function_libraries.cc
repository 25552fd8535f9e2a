// SPDX-License-Identifier: Apache-2.0
#include "server/script/function_libraries.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "server/lua/sha1.h"

namespace kvorum::server {
namespace {

constexpr uint8_t kFormat = 1;

void put_library(std::string& out, const FunctionLibrary& library) {
  put_bytes(out, library.name);
  put_varint(out, library.stamp_us);
  put_u64(out, library.origin);
  put_u8(out, library.removed ? 1 : 0);
  put_bytes(out, library.text);
  put_varint(out, library.functions.size());
  for (const LibraryFunction& function : library.functions) {
    put_bytes(out, function.name);
    put_bytes(out, function.description);
    put_u8(out, function.flags);
  }
}

bool get_library(ByteReader& reader, FunctionLibrary* library) {
  library->name = reader.bytes();
  library->stamp_us = reader.varint();
  library->origin = reader.u64();
  library->removed = reader.u8() != 0;
  library->text = reader.bytes();
  const uint64_t count = reader.varint();
  for (uint64_t at = 0; at < count && reader.ok(); ++at) {
    LibraryFunction& function = library->functions.emplace_back();
    function.name = reader.bytes();
    function.description = reader.bytes();
    function.flags = reader.u8();
  }
  return reader.ok() && is_library_name(library->name);
}

bool is_newer(const FunctionLibrary& one, const FunctionLibrary& other) {
  return std::pair(one.stamp_us, one.origin) > std::pair(other.stamp_us, other.origin);
}

}  // namespace

std::string_view FunctionLibrary::code() const {
  return std::string_view(text).substr(std::min(text.find('\n'), text.size()));
}

const LibraryFunction* FunctionLibrary::find(std::string_view function) const {
  const std::string lower = lower_case(function);
  const auto found = std::find_if(functions.begin(), functions.end(), [&](const auto& one) {
    return equals_ignoring_case(one.name, lower);
  });
  return found == functions.end() ? nullptr : &*found;
}

bool is_library_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '_';
  });
}

FunctionLibraries::Found FunctionLibraries::find(std::string_view function) const {
  const std::string lower = lower_case(function);
  const MutexLock lock(mutex_);
  const auto found = functions_.find(lower);
  return found == functions_.end() ? Found() : found->second;
}

const FunctionLibraries::Shared* FunctionLibraries::find_live(std::string_view name) const {
  const auto found = libraries_.find(name);
  return found == libraries_.end() || found->second->removed ? nullptr : &found->second;
}

FunctionLibraries::Shared FunctionLibraries::library(std::string_view name) const {
  const MutexLock lock(mutex_);
  const Shared* const found = find_live(name);
  return found == nullptr ? nullptr : *found;
}

std::vector<FunctionLibraries::Shared> FunctionLibraries::all() const {
  const MutexLock lock(mutex_);
  std::vector<Shared> live;
  for (const auto& [name, library] : libraries_) {
    if (!library->removed) live.push_back(library);
  }
  return live;
}

uint64_t FunctionLibraries::next_stamp(std::string_view name, uint64_t now_us) const {
  const auto before = libraries_.find(name);
  return before == libraries_.end() ? now_us : std::max(now_us, before->second->stamp_us + 1);
}

void FunctionLibraries::keep(FunctionLibrary library) {
  std::string name = library.name;
  libraries_[std::move(name)] = std::make_shared<const FunctionLibrary>(std::move(library));
}

// Two nodes that did not see each other may have added the same function in two libraries: the
// newest one is called.
void FunctionLibraries::settle() {
  functions_.clear();
  for (const auto& [name, library] : libraries_) {
    if (library->removed) continue;
    for (const LibraryFunction& function : library->functions) {
      Found& found = functions_[lower_case(function.name)];
      if (!found.library || is_newer(*library, *found.library)) found = {library, &function};
    }
  }
  std::string all;
  put(all);
  digest_ = std::max<uint64_t>(xxh64(all), 1);
  ++generation_;
}

std::string FunctionLibraries::add(FunctionLibrary library, bool replaces, uint64_t now_us) {
  const MutexLock lock(mutex_);
  if (!replaces && find_live(library.name) != nullptr) {
    return fmt::format("ERR Library '{}' already exists", library.name);
  }
  size_t bytes = library.text.size();
  for (const auto& [name, other] : libraries_) {
    if (name == library.name || other->removed) continue;
    bytes += other->text.size();
    for (const LibraryFunction& function : library.functions) {
      if (other->find(function.name) == nullptr) continue;
      return fmt::format("ERR Function {} already exists", function.name);
    }
  }
  if (bytes > kBytesMax) return "ERR the libraries of functions would be too large together";
  library.stamp_us = next_stamp(library.name, now_us);
  library.sha = sha1_hex(library.text);
  keep(std::move(library));
  settle();
  return {};
}

bool FunctionLibraries::drop(std::string_view name, const Removal& removal) {
  if (find_live(name) == nullptr) return false;
  FunctionLibrary removed;
  removed.name = name;
  removed.stamp_us = next_stamp(name, removal.now_us);
  removed.origin = removal.origin;
  removed.removed = true;
  keep(std::move(removed));
  return true;
}

bool FunctionLibraries::remove(std::string_view name, const Removal& removal) {
  const MutexLock lock(mutex_);
  if (!drop(name, removal)) return false;
  settle();
  return true;
}

void FunctionLibraries::remove_all(const Removal& removal) {
  const MutexLock lock(mutex_);
  bool any = false;
  for (const auto& [name, library] : libraries_) any = drop(name, removal) || any;
  if (any) settle();
}

uint64_t FunctionLibraries::generation() const {
  const MutexLock lock(mutex_);
  return generation_;
}

uint64_t FunctionLibraries::digest() const {
  const MutexLock lock(mutex_);
  return digest_;
}

void FunctionLibraries::put(std::string& out) const {
  put_u8(out, kFormat);
  put_varint(out, libraries_.size());
  for (const auto& [name, library] : libraries_) put_library(out, *library);
}

void FunctionLibraries::put_all(std::string& out) const {
  const MutexLock lock(mutex_);
  put(out);
}

bool FunctionLibraries::merge(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != kFormat) return false;
  const uint64_t count = reader.varint();
  std::vector<FunctionLibrary> heard;
  for (uint64_t at = 0; at < count && reader.ok(); ++at) {
    if (!get_library(reader, &heard.emplace_back())) return false;
  }
  if (!reader.ok() || !reader.done()) return false;
  const MutexLock lock(mutex_);
  bool any = false;
  for (FunctionLibrary& library : heard) {
    const auto known = libraries_.find(library.name);
    if (known != libraries_.end() && !is_newer(library, *known->second)) continue;
    library.sha = sha1_hex(library.text);
    keep(std::move(library));
    any = true;
  }
  if (any) settle();
  return true;
}

}  // namespace kvorum::server
