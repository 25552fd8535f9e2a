// SPDX-License-Identifier: Apache-2.0
#include "server/peers/greeting_proof.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/bytes.h"
#include "base/check.h"

namespace kvorum::server {
namespace {

Proof hmac(const ProofKey& key, std::string_view text) {
  Proof proof{};
  unsigned int size = 0;
  const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
  KVORUM_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes, text.size(),
                    proof.data(), &size) != nullptr);
  KVORUM_CHECK(size == proof.size());
  return proof;
}

std::string beginning(std::string_view purpose, GreetingRole role, const GreetingStart& start) {
  std::string text;
  put_bytes(text, purpose);
  put_u8(text, static_cast<uint8_t>(role));
  put_u16(text, start.version);
  for (const uint64_t half : start.dialer) put_u64(text, half);
  for (const uint64_t half : start.acceptor) put_u64(text, half);
  return text;
}

}  // namespace

Proof make_proof(const ProofKey& key, GreetingRole role, const GreetingStart& start,
                 std::string_view told) {
  return hmac(key, beginning("kvorum proof", role, start).append(told));
}

bool same_proof(const Proof& a, const Proof& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// The text in blocks, each xored with a proof that nobody else can make and that is made once.
std::string seal(const ProofKey& key, GreetingRole role, const GreetingStart& start,
                 std::string_view text) {
  const std::string first = beginning("kvorum seal", role, start);
  std::string out(text);
  Proof block{};
  for (size_t at = 0; at < out.size(); ++at) {
    const size_t place = at % block.size();
    if (place == 0) {
      std::string counted = first;
      put_u64(counted, at);
      block = hmac(key, counted);
    }
    out[at] = static_cast<char>(static_cast<unsigned char>(out[at]) ^ block[place]);
  }
  return out;
}

}  // namespace kvorum::server
