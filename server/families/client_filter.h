// SPDX-License-Identifier: Apache-2.0
// Of which connections CLIENT LIST and CLIENT KILL speak. A plain value; pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/commands/command.h"

namespace kvorum::server {

enum class ClientType : uint8_t { kAll, kNormal, kSubscribed, kNone };

// What all of them have in common; an empty text or 0 asks for nothing.
struct ClientFilter {
  ClientType type = ClientType::kAll;
  std::vector<uint64_t> ids;
  std::string address, local_address;
  uint64_t not_id = 0;
  uint64_t age_min_s = 0;

  bool takes(const SessionState& session, uint64_t now_us) const;
};

// Whole seconds; 0 where the beginning is not known: nobody told it to one that has said nothing.
uint64_t seconds_since(uint64_t then_us, uint64_t now_us);

// False with Redis's error planned.
bool read_client_type(std::string_view word, Plan& plan, ClientType* type);
// The pairs behind CLIENT KILL.
bool read_client_filter(const CommandCall& call, Plan& plan, ClientFilter* filter);

}  // namespace kvorum::server
