// SPDX-License-Identifier: Apache-2.0
// What differs between two ranges whose entries have ascending keys, none twice.
#pragma once

#include <iterator>
#include <type_traits>
#include <vector>

namespace kvorum {

// Keys that stand in one of the ranges alone, or in both with entries that are not `same`;
// ascending. One walk along both.
template <class Range, class KeyOf, class Same>
auto keys_that_differ(const Range& a, const Range& b, KeyOf key_of, Same same) {
  std::vector<std::decay_t<decltype(key_of(*std::begin(a)))>> keys;
  auto one = std::begin(a);
  auto other = std::begin(b);
  while (one != std::end(a) || other != std::end(b)) {
    if (other == std::end(b) || (one != std::end(a) && key_of(*one) < key_of(*other))) {
      keys.push_back(key_of(*one++));
    } else if (one == std::end(a) || key_of(*other) < key_of(*one)) {
      keys.push_back(key_of(*other++));
    } else {
      if (!same(*one, *other)) keys.push_back(key_of(*one));
      ++one, ++other;
    }
  }
  return keys;
}

}  // namespace kvorum
