// SPDX-License-Identifier: Apache-2.0
// What the admin address answers: /livez, /readyz, /healthz, /metrics and the JSON API under
// /api/v1. Pure but for asking the node for its status; runs on the admin server's thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cluster/repair/repair_wish.h"
#include "cluster/ring/cluster_view.h"
#include "server/admin/http.h"
#include "server/config/config.h"
#include "server/membership/membership_desk.h"
#include "server/status/node_status.h"

namespace kvorum::server {

// What the admin address may ask of a node and tell it. Any thread.
class AdminServices {
 public:
  virtual NodeStatus status() = 0;
  // Empty while all reactors run; else which one does not.
  virtual std::string stuck_reason() = 0;
  virtual std::shared_ptr<const cluster::ClusterView> view() const = 0;
  virtual MembershipDesk* membership() = 0;
  // What holds now: a reload may have changed it.
  virtual std::shared_ptr<const Config> config() const = 0;
  virtual bool takes_password(std::string_view password) const = 0;
  // `address` is the client's, with a port or without.
  virtual void login_failed(std::string_view address) = 0;
  // Compares with all other primaries at once; the progress is part of status().
  virtual void repair(const cluster::RepairWish& wish) = 0;

 protected:
  ~AdminServices() = default;
};

HttpAnswer admin_answer(AdminServices& node, const HttpRequest& wanted);

}  // namespace kvorum::server
