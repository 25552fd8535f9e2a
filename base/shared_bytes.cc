// SPDX-License-Identifier: Apache-2.0
#include "base/shared_bytes.h"

#include <utility>

#include "base/memory_thread.h"

namespace kvorum {
namespace {

// What holds the bytes of a share.
struct Storage {
  explicit Storage(std::string&& bytes) : string(std::move(bytes)), view(string) {}
  Storage(MappedMemory&& memory, std::string_view bytes) : mapped(std::move(memory)), view(bytes) {}
  Storage(const Storage&) = delete;

  std::string string;
  MappedMemory mapped;
  std::string_view view;
};

void dispose(const Storage* storage) {
  if (storage->view.size() < kLargeMemoryBytes) {
    delete storage;
  } else {
    post_to_memory_thread([storage] { delete storage; });
  }
}

SharedBytes share(const Storage* storage) {
  const std::shared_ptr<const Storage> shared(storage, &dispose);
  return {shared, &shared->view};
}

}  // namespace

SharedBytes share(std::string&& bytes) { return share(new Storage(std::move(bytes))); }

SharedBytes share(MappedMemory&& memory, std::string_view bytes) {
  return share(new Storage(std::move(memory), bytes));
}

}  // namespace kvorum
