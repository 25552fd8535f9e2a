// SPDX-License-Identifier: Apache-2.0
#include "server/status/membership_text.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>
#include <iterator>

#include "server/status/aligned.h"

namespace kvorum::server {
namespace {

namespace json = boost::json;

std::string bytes_text(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KB", "MB", "GB", "TB"};
  auto amount = static_cast<double>(bytes);
  size_t unit = 0;
  for (; amount >= 1000 && unit + 1 < std::size(kUnits); ++unit) amount /= 1000;
  return fmt::format("{:.{}f} {}", amount, unit == 0 ? 0 : 1, kUnits[unit]);
}

std::string list_text(const std::vector<std::string>& names) {
  return names.empty() ? "-" : fmt::format("{}", fmt::join(names, " "));
}

std::vector<std::string> leaving_members(const NodeStatus& status) {
  std::vector<std::string> names;
  for (const MemberStatus& member : status.members) {
    if (member.standing == cluster::Standing::kLeaving) names.push_back(member.name);
  }
  return names;
}

json::array list_json(const std::vector<std::string>& names) {
  json::array out;
  for (const std::string& name : names) out.emplace_back(name);
  return out;
}

std::string parts_text(bool is_counted, const std::string& part, const std::string& whole) {
  return is_counted ? fmt::format("{}/{}", part, whole) : "-";
}

// A sentence, as far as it is known.
std::string total_text(const MovesStatus::Total& total) {
  std::string text = fmt::format("{} partitions move", total.partitions_left);
  if (!total.is_counted) return text + "; how much is copied is not known of all\n";
  text += fmt::format(", {} % is copied: {} keys ({}), {} left ({})", total.percent(),
                      total.copied.keys, bytes_text(total.copied.bytes), total.left.keys,
                      bytes_text(total.left.bytes));
  if (total.seconds_left) {
    text += fmt::format("; {} keys/s ({}/s), about {} s left", total.per_second.keys,
                        bytes_text(total.per_second.bytes), *total.seconds_left);
  }
  return text + "\n";
}

std::vector<std::string> transfer_row(const MovesStatus::Row& row) {
  const bool counted = row.is_counted;
  return {std::to_string(row.partition),
          list_text(row.from),
          list_text(row.to),
          list_text(row.confirmed),
          list_text(row.voted),
          parts_text(counted, std::to_string(row.copied.keys), std::to_string(row.of.keys)),
          parts_text(counted, bytes_text(row.copied.bytes), bytes_text(row.of.bytes)),
          counted ? fmt::format("{} %", row.percent()) : "-",
          fmt::format("{}/s", row.per_second.keys),
          row.waits};
}

json::value number_or_null(bool is_known, uint64_t number) {
  return is_known ? json::value(number) : json::value(nullptr);
}

json::object transfer_object(const MovesStatus::Row& row) {
  const bool counted = row.is_counted;
  return {{"partition", row.partition},
          {"from", list_json(row.from)},
          {"to", list_json(row.to)},
          {"confirmed", list_json(row.confirmed)},
          {"voted", list_json(row.voted)},
          {"keys", row.keys},
          {"keys_copied", number_or_null(counted, row.copied.keys)},
          {"keys_total", number_or_null(counted, row.of.keys)},
          {"bytes_copied", number_or_null(counted, row.copied.bytes)},
          {"bytes_total", number_or_null(counted, row.of.bytes)},
          {"percent", number_or_null(counted, row.percent())},
          {"keys_per_second", row.per_second.keys},
          {"bytes_per_second", row.per_second.bytes},
          {"waits", row.waits}};
}

json::object progress_object(const MovesStatus::Total& total) {
  const bool counted = total.is_counted;
  return {{"partitions_moved", total.partitions_moved},
          {"partitions_left", total.partitions_left},
          {"keys_copied", number_or_null(counted, total.copied.keys)},
          {"keys_left", number_or_null(counted, total.left.keys)},
          {"bytes_copied", number_or_null(counted, total.copied.bytes)},
          {"bytes_left", number_or_null(counted, total.left.bytes)},
          {"percent", number_or_null(counted, total.percent())},
          {"keys_per_second", total.per_second.keys},
          {"bytes_per_second", total.per_second.bytes},
          {"seconds_left",
           number_or_null(total.seconds_left.has_value(), total.seconds_left.value_or(0))}};
}

std::string document(json::object object, const std::string& text) {
  object["text"] = text;
  return json::serialize(object) + "\n";
}

json::object plan_object(const ChangePlan& plan) {
  json::array members;
  for (const ChangePlan::Row& row : plan.members) {
    members.push_back(json::object{{"name", row.name},
                                   {"copies_before", row.copies_before},
                                   {"copies_after", row.copies_after},
                                   {"takes", row.takes},
                                   {"gives", row.gives}});
  }
  return {{"wish", plan.wish},
          {"based_on", plan.based_on},
          {"partitions", plan.partitions},
          {"partitions_moving", plan.partitions_moving},
          {"copies_moving", plan.copies_moving},
          {"keys", plan.keys},
          {"bytes", plan.bytes},
          {"seconds", plan.seconds},
          {"members", std::move(members)},
          {"violations", list_json(plan.violations)},
          {"differences", list_json(plan.lines)},
          {"is_empty", plan.is_empty}};
}

}  // namespace

const char* member_condition(const MemberStatus& member) {
  if (!member.self && member.state != cluster::PeerState::kUp) {
    return cluster::peer_state_name(member.state);
  }
  if (member.standing == cluster::Standing::kLeaving) return "leaving";
  return member.joining ? "joining" : "up";
}

std::string plan_text(const ChangePlan& plan) {
  std::string text;
  for (const std::string& line : plan.lines) text += line + "\n";
  if (plan.is_empty) {  // a line may tell of an address, which nobody changes from here
    return text + (text.empty() ? "nothing differs: the cluster is as the file says\n"
                                : "nothing of it is to be changed from here\n");
  }
  text += fmt::format("{}: {} of {} partitions move, {} copies, about {} keys ({})\n", plan.wish,
                      plan.partitions_moving, plan.partitions, plan.copies_moving, plan.keys,
                      bytes_text(plan.bytes));
  if (plan.copies_moving > 0) {
    text += fmt::format("expected time: {:.0f} s on idle machines, longer beside clients\n",
                        std::ceil(plan.seconds));
  }
  std::vector<TableRow> rows = {{"MEMBER", "COPIES", "THEN", "TAKES", "GIVES"}};
  for (const ChangePlan::Row& row : plan.members) {
    rows.push_back({row.name, std::to_string(row.copies_before), std::to_string(row.copies_after),
                    std::to_string(row.takes), std::to_string(row.gives)});
  }
  text += aligned(rows);
  for (const std::string& violation : plan.violations) text += "warning: " + violation + "\n";
  return text;
}

std::string transfers_text(const NodeStatus& status) {
  const MovesStatus& moves = status.moves;
  const std::vector<std::string> leaving = leaving_members(status);
  std::string left;
  if (!leaving.empty()) left = "handing over what they hold: " + list_text(leaving) + "\n";
  if (moves.rows.empty()) return leaving.empty() ? "nothing moves\n" : left;
  std::vector<TableRow> rows = {{"PARTITION", "FROM", "TO", "CONFIRMED", "VOTED", "KEYS", "BYTES",
                                 "COPIED", "RATE", "WAITS FOR"}};
  for (const MovesStatus::Row& row : moves.rows) rows.push_back(transfer_row(row));
  return aligned(rows) + total_text(moves.total) + left;
}

std::string members_text(const NodeStatus& status) {
  std::vector<TableRow> rows = {
      {"MEMBER", "STATE", "PEER", "REDIS", "PARTITIONS", "WEIGHT", "RACK", "ZONE"}};
  for (const MemberStatus& member : status.members) {
    rows.push_back({member.name + (member.self ? " (asked)" : ""), member_condition(member),
                    member.peer, member.redis, std::to_string(member.partitions),
                    std::to_string(member.weight), member.rack, member.zone});
  }
  for (const cluster::Member& node : status.waiting_nodes) {
    rows.push_back({node.name, "waiting", node.peer.to_text(), node.redis.to_text(), "-",
                    std::to_string(node.weight), node.rack, node.zone});
  }
  std::string text = aligned(rows);
  if (!status.departed.empty()) text += "departed: " + list_text(status.departed) + "\n";
  for (const cluster::Member& node : status.waiting_nodes) {
    text += fmt::format("{} waits: kvorum join {}\n", node.name, node.name);
  }
  return text;
}

std::string plan_json(const ChangePlan& plan) {
  return document(plan_object(plan), plan_text(plan));
}

std::string taken_json(const ChangePlan& plan, bool written) {
  json::object object = plan_object(plan);
  object["written"] = written;
  return document(std::move(object), plan_text(plan));
}

std::string transfers_json(const NodeStatus& status) {
  const MovesStatus& moves = status.moves;
  json::array rows, lost;
  for (const MovesStatus::Row& row : moves.rows) {
    rows.push_back(transfer_object(row));
  }
  for (const uint32_t partition : moves.lost) lost.push_back(partition);
  json::object object = {{"newest_set", moves.newest_set},
                         {"transfers", std::move(rows)},
                         {"progress", progress_object(moves.total)},
                         {"leaving", list_json(leaving_members(status))},
                         {"lost", std::move(lost)}};
  return document(std::move(object), transfers_text(status));
}

std::string members_json(const NodeStatus& status) {
  json::array members;
  for (const MemberStatus& member : status.members) {
    members.push_back(json::object{{"name", member.name},
                                   {"id", fmt::format("{:016x}", member.id)},
                                   {"state", member_condition(member)},
                                   {"self", member.self},
                                   {"peer", member.peer},
                                   {"redis", member.redis},
                                   {"memcached", member.memcached},
                                   {"admin", member.admin},
                                   {"partitions", member.partitions},
                                   {"weight", member.weight},
                                   {"rack", member.rack},
                                   {"zone", member.zone},
                                   {"reason", member.reason}});
  }
  for (const cluster::Member& node : status.waiting_nodes) {
    members.push_back(json::object{{"name", node.name},
                                   {"id", fmt::format("{:016x}", node.id)},
                                   {"state", "waiting"},
                                   {"self", false},
                                   {"peer", node.peer.to_text()},
                                   {"redis", node.redis.to_text()},
                                   {"memcached", node.memcached.to_text()},
                                   {"admin", node.admin.to_text()},
                                   {"partitions", 0},
                                   {"weight", node.weight},
                                   {"rack", node.rack},
                                   {"zone", node.zone},
                                   {"reason", "kvorum join " + node.name}});
  }
  json::object object = {{"cluster", status.cluster_name},
                         {"members", std::move(members)},
                         {"departed", list_json(status.departed)}};
  return document(std::move(object), members_text(status));
}

}  // namespace kvorum::server
