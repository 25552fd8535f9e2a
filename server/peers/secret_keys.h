// SPDX-License-Identifier: Apache-2.0
// The keys that a node makes of cluster.secret at its start, one for each purpose: proofs between
// peers, and the MAC of context tokens. Each is stretched (PBKDF2-HMAC-SHA256): a token, or a
// greeting that somebody recorded, is no dictionary in which guesses cost one MAC each. While the
// secret is being changed there are several (docs/CONFIGURATION.md, "Secrets and
// passwords"): a node speaks with the first and understands all.
//
// Without a secret the keys come from the cluster's name and id. That detects strangers and damage;
// it keeps nobody out who knows the configuration. Pure; made once, then only read, by any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/siphash.h"

namespace kvorum::server {

using ProofKey = std::array<unsigned char, 32>;

struct SecretKeys {
  // Rounds of PBKDF2 for one key. Both keys of a secret take 25 ms where the processor has SHA
  // instructions, 90 ms where it has not.
  static constexpr int kStretchRounds = 50'000;

  bool has_secret = false;
  std::vector<ProofKey> peer;  // never empty: what this node proves with comes first
  std::vector<MacKey> token;   // never empty: what it mints with comes first
};

struct ClusterName {
  std::string_view name;
  uint64_t id = 0;
};

SecretKeys make_secret_keys(std::span<const std::string> secrets, const ClusterName& cluster);

}  // namespace kvorum::server
