// SPDX-License-Identifier: Apache-2.0
// `kvorum members | transfers | join | leave | remove | replace | weight` and
// `kvorum cluster plan FILE | apply FILE | placement VERSION`: what the admin API of a node says of
// the members, and what it is told. A change is shown as a plan first, and asked for
// unless --yes; afterwards the moves are waited for. Exit status: 0 fine, 1 refused or not done.
#pragma once

#include <string>

#include "server/membership/wish.h"

namespace kvorum::server {

struct MemberCommand {
  MembershipWish wish;
  bool plan_only = false;  // --plan
  bool yes = false;        // --yes: nobody is asked
  bool no_wait = false;    // --no-wait
  bool json = false;       // --output json
};

int show_members(const std::string& admin_address, bool json);
int show_transfers(const std::string& admin_address, bool json);
int change_members(const std::string& admin_address, const MemberCommand& command);
// What is different in a cluster's file: shown, or made so. Exit status 2: the file has mistakes.
int apply_file(const std::string& admin_address, const std::string& path, MemberCommand command);

// What is drawn while moves are waited for, of a document of /api/v1/transfers: how many of `most`
// partitions have moved, and how it goes on with the others.
std::string move_line(const std::string& transfers, size_t most);
// The request of a wish: `/api/v1/members?change=join&name=f`.
std::string wish_target(const MembershipWish& wish);
// Its body; empty for most.
std::string wish_body(const MembershipWish& wish);

}  // namespace kvorum::server
