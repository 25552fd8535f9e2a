// SPDX-License-Identifier: Apache-2.0
// Keeps the membership history of a node on disk as it grows: what was added goes to the log, and
// where that is full the file is written whole. One thread at a time; calls block for the disk.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "cluster/history/history.h"
#include "server/storage/membership_log.h"

namespace kvorum::server {

class MembershipKeeper {
 public:
  MembershipKeeper(std::string directory, cluster::NodeId id, std::string node_name);

  // On disk when it returns. `history` has all that was kept before.
  Status keep(std::shared_ptr<const cluster::History> history);
  // All that was kept stands in the file alone, which releases before the log read; also what the
  // log has of a run before. `history`: what is in effect.
  Status fold(const cluster::History& history);

 private:
  Status write_whole(const cluster::History& history) const;

  const std::string directory_, node_name_;
  const cluster::NodeId id_;
  MembershipLog log_;
  std::shared_ptr<const cluster::History> kept_;
};

}  // namespace kvorum::server
