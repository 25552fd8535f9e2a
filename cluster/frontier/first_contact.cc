// SPDX-License-Identifier: Apache-2.0
#include "cluster/frontier/first_contact.h"

#include "cluster/frontier/frontier_protocol.h"

namespace kvorum::cluster {

bool FirstContact::look(Now now) {
  on_time(now);
  made_ = frontier_ == nullptr || frontier_->heard() || now.steady_us >= until_us_;
  return made_;
}

}  // namespace kvorum::cluster
