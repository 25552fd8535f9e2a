// SPDX-License-Identifier: Apache-2.0
// How long who failed to log in waits before the next attempt is looked at: an address (of IPv6 a
// network of 64 bits) has a few tries free, then each failure doubles the wait up to a second, for
// right passwords too, until it has made no mistake for a minute. Bounded: in a full table the one
// whose last mistake is longest ago is forgotten. Pure; one thread, or under its owner's lock.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace kvorum::server {

class LoginThrottle {
 public:
  static constexpr uint32_t kFreeFailures = 5;
  static constexpr uint64_t kDelayFirstUs = 50'000;
  static constexpr uint64_t kDelayMaxUs = 1'000'000;
  static constexpr uint64_t kForgetAfterUs = 60'000'000;
  static constexpr size_t kAddressesMax = 4096;

  uint64_t delay_us(std::string_view address, uint64_t now_us) const;
  void failed(std::string_view address, uint64_t now_us);
  size_t size() const { return records_.size(); }

 private:
  struct Record {
    uint32_t failures = 0;
    uint64_t last_us = 0;
  };
  void make_room(uint64_t now_us);

  std::map<std::string, Record, std::less<>> records_;
};

}  // namespace kvorum::server
