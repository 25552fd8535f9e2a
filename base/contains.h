// SPDX-License-Identifier: Apache-2.0
// Whether a list has an element, by comparing one after the other: for the short lists of members
// and ids that a request, a partition or a keyspace has.
#pragma once

#include <algorithm>

namespace kvorum {

template <class List, class T>
bool contains(const List& list, const T& wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

}  // namespace kvorum
