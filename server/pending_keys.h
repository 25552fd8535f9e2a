// SPDX-License-Identifier: Apache-2.0
// Which keys a connection's unanswered operations touch. Operations of a pipeline run side by side,
// but a client may rely on its own order for one key: a read waits for the write before it, and the
// other way round. Plain writes of one key follow each other without waiting, since they take the
// same way in order. Keys are told apart by their ring position. Owned by a connection.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace kvorum::server {

enum class KeyUse : uint8_t {
  kRead,
  kBlindWrite,  // replaces the value whatever it was
  kEdit,        // depends on the value before it
};

class PendingKeys {
 public:
  // An operation that uses the key so must wait for one that is under way.
  bool must_wait(uint64_t place, KeyUse use) const {
    if (!edits_.empty() && contains(edits_, place)) return true;
    if (use != KeyUse::kRead && !reads_.empty() && contains(reads_, place)) return true;
    return use != KeyUse::kBlindWrite && !blind_writes_.empty() && contains(blind_writes_, place);
  }

  void add(uint64_t place, KeyUse use) { places(use).push_back(place); }
  void remove(uint64_t place, KeyUse use) {
    std::vector<uint64_t>& list = places(use);
    const auto found = std::find(list.begin(), list.end(), place);
    if (found == list.end()) return;
    *found = list.back();
    list.pop_back();
  }
  size_t size() const { return reads_.size() + blind_writes_.size() + edits_.size(); }

 private:
  static bool contains(const std::vector<uint64_t>& list, uint64_t place) {
    return std::find(list.begin(), list.end(), place) != list.end();
  }
  std::vector<uint64_t>& places(KeyUse use) {
    switch (use) {
      case KeyUse::kRead:
        return reads_;
      case KeyUse::kBlindWrite:
        return blind_writes_;
      case KeyUse::kEdit:
        break;
    }
    return edits_;
  }

  std::vector<uint64_t> reads_, blind_writes_, edits_;
};

}  // namespace kvorum::server
