// SPDX-License-Identifier: Apache-2.0
#include "tests/fuzz/fuzz_target.h"

namespace kvorum::fuzz {

std::vector<FuzzTarget>& fuzz_targets() {
  static std::vector<FuzzTarget> targets;
  return targets;
}

RegisterFuzzTarget::RegisterFuzzTarget(std::string_view name, void (*run)(std::string_view)) {
  fuzz_targets().push_back({name, run});
}

}  // namespace kvorum::fuzz
