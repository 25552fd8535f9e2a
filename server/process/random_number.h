// SPDX-License-Identifier: Apache-2.0
// Numbers that nobody can guess: incarnations, seeds, ids of runs. Any thread.
#pragma once

#include <cstdint>

namespace kvorum::server {

uint64_t random_number();  // never 0

}  // namespace kvorum::server
