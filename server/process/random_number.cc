// SPDX-License-Identifier: Apache-2.0
#include "server/process/random_number.h"

#include <openssl/rand.h>

#include "base/check.h"

namespace kvorum::server {

uint64_t random_number() {
  uint64_t number = 0;
  while (number == 0) {
    KVORUM_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number) == 1);
  }
  return number;
}

}  // namespace kvorum::server
