// SPDX-License-Identifier: Apache-2.0
// The cryptography of a greeting (greeting.h): proofs that a side knows the key, and the seal that
// keeps what it tells from who does not. A proof is an HMAC-SHA256 over the role of who proves, the
// protocol version, the nonces of both sides and everything that was told, so none is good for
// another greeting, or for the other role. The seal is HMAC-SHA256 in counter mode over the same
// beginning, so no part of it is ever used twice. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "server/peers/secret_keys.h"

namespace kvorum::server {

using Nonce = std::array<uint64_t, 2>;
using Proof = std::array<unsigned char, 32>;

enum class GreetingRole : uint8_t { kDialer = 1, kAcceptor = 2 };

// What both sides know before either told who it is.
struct GreetingStart {
  uint16_t version = 0;
  Nonce dialer{}, acceptor{};
};

Proof make_proof(const ProofKey& key, GreetingRole role, const GreetingStart& start,
                 std::string_view told);
// Takes the same time wherever they differ.
bool same_proof(const Proof& a, const Proof& b);
// Seals, and opens what it sealed. Of other bytes or another key it makes noise: check the proof.
std::string seal(const ProofKey& key, GreetingRole role, const GreetingStart& start,
                 std::string_view text);

}  // namespace kvorum::server
