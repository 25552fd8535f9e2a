// SPDX-License-Identifier: Apache-2.0
#include "server/peers/secret_keys.h"

#include <openssl/evp.h>

#include <cstring>

#include "base/bytes.h"
#include "base/check.h"

namespace kvorum::server {
namespace {

ProofKey stretch(std::string_view secret, std::string_view salt, int rounds) {
  ProofKey key{};
  const auto* const salt_bytes = reinterpret_cast<const unsigned char*>(salt.data());
  KVORUM_CHECK(PKCS5_PBKDF2_HMAC(secret.data(), static_cast<int>(secret.size()), salt_bytes,
                                 static_cast<int>(salt.size()), rounds, EVP_sha256(),
                                 static_cast<int>(key.size()), key.data()) == 1);
  return key;
}

// The peers' key does not depend on the cluster's name: only so can a node tell a secret that
// differs from a cluster that does. The tokens' does: clients see tokens.
std::string salt_of(std::string_view purpose, std::string_view cluster) {
  std::string salt = "kvorum ";
  put_bytes(salt, purpose);
  put_bytes(salt, cluster);
  return salt;
}

MacKey mac_key(const ProofKey& key) {
  MacKey mac{};
  static_assert(sizeof mac <= sizeof key);
  std::memcpy(mac.data(), key.data(), sizeof mac);
  return mac;
}

}  // namespace

SecretKeys make_secret_keys(std::span<const std::string> secrets, const ClusterName& cluster) {
  SecretKeys keys;
  keys.has_secret = !secrets.empty();
  if (!keys.has_secret) {  // nothing to guess here: the configuration is no secret
    std::string known(cluster.name);
    put_u64(known, cluster.id);
    keys.peer.push_back(stretch(known, salt_of("open peer", cluster.name), 1));
    keys.token.push_back(mac_key(stretch(known, salt_of("open token", cluster.name), 1)));
    return keys;
  }
  for (const std::string& secret : secrets) {
    keys.peer.push_back(stretch(secret, salt_of("peer", ""), SecretKeys::kStretchRounds));
    keys.token.push_back(
        mac_key(stretch(secret, salt_of("token", cluster.name), SecretKeys::kStretchRounds)));
  }
  return keys;
}

}  // namespace kvorum::server
