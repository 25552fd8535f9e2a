// SPDX-License-Identifier: Apache-2.0
// What a client knows of the causal past of a key whose values are all different: which values a
// write replaced, what the contexts covered. Siblings that a read gives must be concurrent, a dot
// names one write, and what a client knows grows (design: contexts never go back). Owned by a
// workload; one thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/version/object.h"

namespace kvorum::sim {

class CausalHistory {
 public:
  // A write of `value` under the context of a read that gave `known`.
  void wrote(const std::string& value, const std::vector<std::string>& known);
  // That write has one dot. (One that was retried by another coordinator has two; who replaced the
  // first may see the second come up.)
  void has_one_dot(const std::string& value) { single_.insert(value); }
  // Two siblings, the first of which was written by somebody who had read the second; or one of
  // their pasts had.
  std::optional<std::pair<std::string, std::string>> dominated(
      const std::vector<std::string>& siblings) const;

 private:
  std::map<std::string, std::set<std::string>> past_;
  std::set<std::string> single_;
};

// The context in a token of a simulated cluster; nothing for what is no token.
std::optional<cluster::Context> context_of(std::string_view token);

// Whether whoever holds `later` knows all that `earlier` knew.
bool covers(const cluster::Context& later, const cluster::Context& earlier);

}  // namespace kvorum::sim
