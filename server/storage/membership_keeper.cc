// SPDX-License-Identifier: Apache-2.0
#include "server/storage/membership_keeper.h"

#include <utility>

#include "cluster/history/history_delta.h"
#include "server/storage/membership_file.h"

namespace kvorum::server {

MembershipKeeper::MembershipKeeper(std::string directory, cluster::NodeId id, std::string node_name)
    : directory_(std::move(directory)),
      node_name_(std::move(node_name)),
      id_(id),
      log_(directory_) {}

Status MembershipKeeper::write_whole(const cluster::History& history) const {
  std::string bytes;
  history.encode(bytes);
  return write_membership(directory_, id_, node_name_, bytes);
}

Status MembershipKeeper::keep(std::shared_ptr<const cluster::History> history) {
  if (log_.has_begun()) {
    std::string added;
    cluster::encode_additions(*kept_, *history, added);
    if (log_.has_room_for(added)) {
      const Status status = log_.add(added);
      if (status.ok()) kept_ = std::move(history);
      return status;
    }
  }
  if (Status status = write_whole(*history); !status.ok()) return status;
  kept_ = std::move(history);
  return log_.begin();
}

Status MembershipKeeper::fold(const cluster::History& history) {
  if (!log_.is_on_disk()) return {};
  if (Status status = write_whole(history); !status.ok()) return status;
  log_.remove();
  return {};
}

}  // namespace kvorum::server
