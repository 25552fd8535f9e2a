// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/causality.h"

#include <algorithm>

#include "cluster/version/context.h"
#include "tests/sim/sim_node.h"

namespace kvorum::sim {

void CausalHistory::wrote(const std::string& value, const std::vector<std::string>& known) {
  std::set<std::string>& past = past_[value];
  for (const std::string& one : known) {
    past.insert(one);
    const std::set<std::string>& before = past_[one];
    past.insert(before.begin(), before.end());
  }
}

std::optional<std::pair<std::string, std::string>> CausalHistory::dominated(
    const std::vector<std::string>& siblings) const {
  for (const std::string& sibling : siblings) {
    const auto past = past_.find(sibling);
    if (past == past_.end()) continue;
    for (const std::string& other : siblings) {
      if (past->second.contains(other) && single_.contains(other)) return std::pair(sibling, other);
    }
  }
  return std::nullopt;
}

std::optional<cluster::Context> context_of(std::string_view token) {
  Result<cluster::Token> decoded = cluster::decode_token(token, {&kTokenKey, 1});
  if (!decoded.ok()) return std::nullopt;
  return std::move(decoded).value().context;
}

bool covers(const cluster::Context& later, const cluster::Context& earlier) {
  return later.vector.covers_all(earlier.vector) &&
         std::all_of(earlier.detached.begin(), earlier.detached.end(),
                     [&](const cluster::Dot& dot) { return later.covers(dot); });
}

}  // namespace kvorum::sim
