// SPDX-License-Identifier: Apache-2.0
// The commands between MULTI and EXEC, with their words in one piece of memory. What a client may
// queue is bounded. One thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/position.h"
#include "server/commands/command.h"

namespace kvorum::server {

class CommandQueue {
 public:
  static constexpr size_t kBytesMax = size_t{128} * 1024 * 1024;
  static constexpr size_t kCommandsMax = 1024 * 1024;

  // `key`: its only key with its position, where it is known. False where there is no room for it.
  bool add(const CommandRow& row, Words words, const KeyRef* key) {
    size_t bytes = sizeof(Command);
    for (const std::string_view word : words) bytes += word.size() + sizeof(Place);
    if (commands_.size() >= kCommandsMax || bytes > kBytesMax - held_bytes()) return false;
    commands_.push_back({&row, words_.size(), words.size(), key ? key->position : Position()});
    has_writes_ = has_writes_ || (row.flags & (kWrite | kMayWrite)) != 0;
    all_keys_known_ = all_keys_known_ && key != nullptr;
    for (const std::string_view word : words) {
      words_.push_back({bytes_.size(), word.size()});
      bytes_.append(word);
    }
    return true;
  }

  size_t size() const { return commands_.size(); }
  bool has_writes() const { return has_writes_; }
  // Each command has one key, of which the position is known.
  bool all_keys_known() const { return all_keys_known_; }
  const Position& position(size_t at) const { return commands_[at].position; }
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
  size_t held_bytes() const {
    return bytes_.size() + words_.size() * sizeof(Place) + commands_.size() * sizeof(Command);
  }

  // Keeps some of its memory.
  void clear() {
    if (held_bytes() > kBytesKept) *this = {};
    bytes_.clear();
    words_.clear();
    commands_.clear();
    has_writes_ = false;
    all_keys_known_ = true;
  }

 private:
  static constexpr size_t kBytesKept = 64 * 1024;
  struct Place {
    size_t begin, size;
  };
  struct Command {
    const CommandRow* row;
    size_t first, count;  // words
    Position position;    // of its key, where that is known
  };

  std::string bytes_;
  std::vector<Place> words_;
  std::vector<Command> commands_;
  bool has_writes_ = false;
  bool all_keys_known_ = true;
};

}  // namespace kvorum::server
