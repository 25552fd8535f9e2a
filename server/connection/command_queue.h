// SPDX-License-Identifier: Apache-2.0
// The commands between MULTI and EXEC, with their words in one piece of memory. What a client may
// queue is bounded. One thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/commands/command.h"

namespace kvorum::server {

class CommandQueue {
 public:
  static constexpr size_t kBytesMax = size_t{128} * 1024 * 1024;
  static constexpr size_t kCommandsMax = 1024 * 1024;

  // False where there is no room for it.
  bool add(const CommandRow& row, Words words) {
    size_t bytes = 0;
    for (const std::string_view word : words) bytes += word.size() + sizeof(Place);
    if (commands_.size() >= kCommandsMax || bytes > kBytesMax - held_bytes()) return false;
    commands_.push_back({&row, words_.size(), words.size()});
    has_writes_ = has_writes_ || (row.flags & (kWrite | kMayWrite)) != 0;
    for (const std::string_view word : words) {
      words_.push_back({bytes_.size(), word.size()});
      bytes_.append(word);
    }
    return true;
  }

  size_t size() const { return commands_.size(); }
  bool has_writes() const { return has_writes_; }
  const CommandRow& row(size_t at) const { return *commands_[at].row; }
  // Views that stay as long as nothing is added or cleared.
  void words(size_t at, std::vector<std::string_view>& out) const {
    out.clear();
    const Command& command = commands_[at];
    for (size_t word = 0; word < command.count; ++word) {
      const Place place = words_[command.first + word];
      out.push_back(std::string_view(bytes_).substr(place.begin, place.size));
    }
  }
  // Whether the view is one of those.
  bool owns(std::string_view view) const {
    return view.data() >= bytes_.data() && view.data() < bytes_.data() + bytes_.size();
  }
  size_t held_bytes() const { return bytes_.size() + words_.size() * sizeof(Place); }

  // Keeps some of its memory.
  void clear() {
    if (held_bytes() > kBytesKept) *this = {};
    bytes_.clear();
    words_.clear();
    commands_.clear();
    has_writes_ = false;
  }

 private:
  static constexpr size_t kBytesKept = 64 * 1024;
  struct Place {
    size_t begin, size;
  };
  struct Command {
    const CommandRow* row;
    size_t first, count;  // words
  };

  std::string bytes_;
  std::vector<Place> words_;
  std::vector<Command> commands_;
  bool has_writes_ = false;
};

}  // namespace kvorum::server
