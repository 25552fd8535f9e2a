// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/trace.h"

#include <fmt/format.h>

namespace kvorum::sim {
namespace {

constexpr size_t kShownBytesMax = 160;

// Printable bytes as they are; others as a dot.
std::string shown(std::string_view bytes) {
  std::string text(bytes.substr(0, kShownBytesMax));
  for (char& letter : text) {
    if (letter < ' ' || letter > '~') letter = '.';
  }
  if (bytes.size() > kShownBytesMax) text += "...";
  return text;
}

}  // namespace

void Trace::write(uint64_t now_us, const Event& event) const {
  fmt::print(out_, "{:5}.{:06} {:<14} {:4} {:<12} {}\n", now_us / 1'000'000, now_us % 1'000'000,
             event.what, event.where, event.number, shown(event.bytes));
}

}  // namespace kvorum::sim
