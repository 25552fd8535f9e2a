// SPDX-License-Identifier: Apache-2.0
#include "server/lua/sha1.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace kvorum::server {

std::string sha1_hex(std::string_view bytes) {
  static const EVP_MD* const method = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  KVORUM_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest, &size, method, nullptr) == 1);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned at = 0; at < size; ++at) {
    text += kDigits[digest[at] >> 4];
    text += kDigits[digest[at] & 15];
  }
  return text;
}

}  // namespace kvorum::server
