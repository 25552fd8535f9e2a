// SPDX-License-Identifier: Apache-2.0
// Errors as values. A Status is "ok" or a code with a sentence for people; a Result<T> is a T or a
// Status. Used at every folder border; nothing in base, protocol, engine or cluster throws.
// base/ is namespace kvorum itself: its vocabulary is visible in every folder's namespace.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace kvorum {

enum class Code : unsigned char {
  kOk,
  kInvalid,  // the input is malformed
  kNotFound,
  kExists,
  kOutOfRange,   // the input ends early or a number does not fit
  kIoError,      // disk or network
  kNoSpace,      // the disk is full
  kUnavailable,  // may work later
  kCorruption,   // a checksum or an invariant of stored bytes does not hold
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT: implicit by design
  Result(Status status) : value_(std::move(status)) {}  // NOLINT: implicit by design

  bool ok() const { return value_.index() == 0; }
  const T& value() const& { return *get_value(); }
  T& value() & { return *const_cast<T*>(get_value()); }
  T value() && { return std::move(*const_cast<T*>(get_value())); }
  Status status() const { return ok() ? Status() : std::get<1>(value_); }

 private:
  const T* get_value() const {
    KVORUM_CHECK(ok());
    return std::get_if<0>(&value_);
  }
  std::variant<T, Status> value_;
};

}  // namespace kvorum
