// SPDX-License-Identifier: Apache-2.0
// The other reactors of a node, as a dispatcher asks them: for commands about what each of them
// owns (CLIENT LIST). Implemented by the reactor; each call belongs to its thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace kvorum::server {

class NodeFacts;

class OtherReactors {
 public:
  using Ask = std::function<std::string(NodeFacts& facts)>;
  using Tell = std::function<void(const std::string& said)>;

  virtual ~OtherReactors() = default;
  virtual size_t count() const = 0;
  // Calls `ask` on the thread of each of them, and later `tell` on this one's with what it said.
  virtual void ask_each(const Ask& ask, const Tell& tell) = 0;
};

}  // namespace kvorum::server
