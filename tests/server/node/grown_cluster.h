// SPDX-License-Identifier: Apache-2.0
// A cluster that grew: what one of its nodes finds beside its data, for tests of server/node.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "server/node/node_self.h"

namespace kvorum::server {

// Node f, whose id is 77, joined the founders in `config`; `node` is it, or the first of them.
inline KeptMembership grown_by_f(const Config& config, const std::string& node) {
  cluster::History history(founding_of(config));
  cluster::Change change;
  change.id = {Hlc{1 << 20}, 1};
  change.described.id = 77;
  change.described.name = "f";
  change.described.peer = {"127.0.0.9", 7379};
  EXPECT_TRUE(history.add(change));
  return {node == "f" ? 77 : make_view(config).members[0].id, node, std::move(history)};
}

}  // namespace kvorum::server
