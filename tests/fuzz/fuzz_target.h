// SPDX-License-Identifier: Apache-2.0
// A fuzz target: a function that is given any bytes and must neither crash nor break what it checks
// with KVORUM_CHECK. Each *_fuzz.cc registers one under its file's name, at namespace scope:
//   const RegisterFuzzTarget kRegistered("resp_fuzz", &fuzz_resp);
// libfuzzer_entry.cc runs the one of its program, fuzz_smoke_test.cc all of them.
#pragma once

#include <string_view>
#include <vector>

namespace kvorum::fuzz {

struct FuzzTarget {
  std::string_view name;
  void (*run)(std::string_view input);
};

std::vector<FuzzTarget>& fuzz_targets();

struct RegisterFuzzTarget {
  RegisterFuzzTarget(std::string_view name, void (*run)(std::string_view));
};

// Hands out the first bytes of an input as decisions; the rest is the input proper.
class Choices {
 public:
  explicit Choices(std::string_view input) : rest_(input) {}
  unsigned byte() {
    if (rest_.empty()) return 0;
    const auto first = static_cast<unsigned char>(rest_[0]);
    rest_.remove_prefix(1);
    return first;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace kvorum::fuzz
