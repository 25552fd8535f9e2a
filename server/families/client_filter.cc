// SPDX-License-Identifier: Apache-2.0
#include "server/families/client_filter.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "protocol/number_text.h"

namespace kvorum::server {
namespace {

bool set_positive(std::string_view word, std::string_view error, Plan& plan, uint64_t* number) {
  const auto read = protocol::parse_int64(word);
  if (!read || *read <= 0) return plan.fail(error), false;
  *number = static_cast<uint64_t>(*read);
  return true;
}

bool set_option(const CommandCall& call, size_t at, Plan& plan, ClientFilter* filter) {
  const std::string_view value = call.words[at + 1];
  const auto is = [&](std::string_view option) {
    return equals_ignoring_case(call.words[at], option);
  };
  if (is("id")) {
    filter->ids.assign(1, 0);
    return set_positive(value, "ERR client-id should be greater than 0", plan, &filter->ids[0]);
  }
  if (is("maxage")) {
    return set_positive(value, "ERR maxage is not an integer or out of range", plan,
                        &filter->age_min_s);
  }
  if (is("type")) return read_client_type(value, plan, &filter->type);
  if (is("addr")) return filter->address = value, true;
  if (is("laddr")) return filter->local_address = value, true;
  if (is("user")) {
    if (value == "default") return true;
    plan.fail_owned(fmt::format("ERR No such user '{}'", value));
    return false;
  }
  const bool no = equals_ignoring_case(value, "no");
  if (!is("skipme") || (!no && !equals_ignoring_case(value, "yes"))) {
    return plan.fail(protocol::kSyntaxError), false;
  }
  filter->not_id = no ? 0 : call.session.id;
  return true;
}

}  // namespace

uint64_t seconds_since(uint64_t then_us, uint64_t now_us) {
  return then_us == 0 || then_us > now_us ? 0 : (now_us - then_us) / 1'000'000;
}

bool ClientFilter::takes(const SessionState& session, uint64_t now_us) const {
  const ClientType its_type =
      session.subscriptions.any() ? ClientType::kSubscribed : ClientType::kNormal;
  if (type != ClientType::kAll && type != its_type) return false;
  if (!ids.empty() && std::find(ids.begin(), ids.end(), session.id) == ids.end()) return false;
  if (session.id == not_id) return false;
  if (!address.empty() && address != session.peer_address) return false;
  if (!local_address.empty() && local_address != session.local_address) return false;
  return age_min_s == 0 || seconds_since(session.started_us, now_us) >= age_min_s;
}

bool read_client_type(std::string_view word, Plan& plan, ClientType* type) {
  constexpr std::pair<std::string_view, ClientType> kTypes[] = {{"normal", ClientType::kNormal},
                                                                {"pubsub", ClientType::kSubscribed},
                                                                {"master", ClientType::kNone},
                                                                {"replica", ClientType::kNone},
                                                                {"slave", ClientType::kNone}};
  for (const auto& [name, named] : kTypes) {
    if (!equals_ignoring_case(word, name)) continue;
    *type = named;
    return true;
  }
  plan.fail_owned(fmt::format("ERR Unknown client type '{}'", word));
  return false;
}

bool read_client_filter(const CommandCall& call, Plan& plan, ClientFilter* filter) {
  if (call.words.size() % 2 != 0) return plan.fail(protocol::kSyntaxError), false;
  filter->not_id = call.session.id;
  for (size_t at = 2; at < call.words.size(); at += 2) {
    if (!set_option(call, at, plan, filter)) return false;
  }
  return true;
}

}  // namespace kvorum::server
