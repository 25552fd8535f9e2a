// SPDX-License-Identifier: Apache-2.0
// What libFuzzer calls: the one target that is linked into this program.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const auto& targets = kvorum::fuzz::fuzz_targets();
  KVORUM_CHECK(targets.size() == 1);
  targets[0].run({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
