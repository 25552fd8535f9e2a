// SPDX-License-Identifier: Apache-2.0
// Plans, moves and members for people (text, one line each) and for programs (JSON, as the admin
// API and `--output json` give it). Pure.
#pragma once

#include <string>

#include "server/membership/change_plan.h"
#include "server/status/node_status.h"

namespace kvorum::server {

std::string plan_text(const ChangePlan& plan);
std::string transfers_text(const NodeStatus& status);
std::string members_text(const NodeStatus& status);

// Each with the text for people as `text`.
std::string plan_json(const ChangePlan& plan);
// A change that was wished; `written`: it is acknowledged.
std::string taken_json(const ChangePlan& plan, bool written);
std::string transfers_json(const NodeStatus& status);
std::string members_json(const NodeStatus& status);

// What a member is, in one word: up, slow, suspected, down, joining, leaving.
const char* member_condition(const MemberStatus& member);

}  // namespace kvorum::server
