// SPDX-License-Identifier: Apache-2.0
// A thread that works in turns wakes others when a turn ends, each once, however often the turn
// gave them something to do: they find all of it at once, and on a machine with few cores they do
// not take the core from the turn in its midst.
#pragma once

#include <algorithm>

#include "base/inline_vector.h"

namespace kvorum {

class TurnWakes {
 public:
  using Wake = void (*)(void* argument);

  // This thread works in turns from now on, until the end of this object.
  TurnWakes() { of_this_thread() = this; }
  ~TurnWakes() {
    of_this_thread() = nullptr;
    give_kept();
  }
  TurnWakes(const TurnWakes&) = delete;

  // Called by give(). False where this thread has no turns: then whoever asks wakes at once.
  static bool keep(Wake wake, void* argument) {
    TurnWakes* const turns = of_this_thread();
    if (turns == nullptr) return false;
    const Kept kept{wake, argument};
    auto& all = turns->kept_;
    if (std::find(all.begin(), all.end(), kept) == all.end()) all.push_back(kept);
    return true;
  }
  // What is kept may be called now, and is kept no more. Nothing on a thread without turns.
  static void give() {
    if (TurnWakes* const turns = of_this_thread()) turns->give_kept();
  }

 private:
  struct Kept {
    Wake wake;
    void* argument;
    bool operator==(const Kept&) const = default;
  };
  static constexpr size_t kUsual = 2;  // the commit threads of objects and of hints

  static TurnWakes*& of_this_thread() {
    thread_local TurnWakes* turns = nullptr;
    return turns;
  }
  void give_kept() {
    for (const Kept& kept : kept_) kept.wake(kept.argument);
    kept_.clear();
  }

  InlineVector<Kept, kUsual> kept_;
};

}  // namespace kvorum
