// SPDX-License-Identifier: Apache-2.0
#include "bench/resp_codec.h"

#include <fmt/format.h>

#include <cstdint>

#include "protocol/resp_reply.h"

namespace kvorum::bench {
namespace {

constexpr std::string_view kGet = "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000000\r\n";
constexpr std::string_view kIncrement = "*2\r\n$4\r\nINCR\r\n$16\r\nctr:000000000000\r\n";
constexpr std::string_view kReset = "*3\r\n$3\r\nSET\r\n$16\r\nctr:000000000000\r\n$1\r\n0\r\n";
constexpr size_t kResetDigits = kReset.size() - 9 - kKeyDigits;
constexpr std::string_view kOk = "+OK\r\n";

// The digits stand right before the final \r\n of `form`.
void append_with_digits(std::string& out, std::string_view form, size_t digits_at, uint64_t key) {
  const size_t start = out.size();
  out.append(form);
  write_digits(out.data() + start + digits_at, key);
}

constexpr Reply kNeedMore{Outcome::kIncomplete, 0};
constexpr Reply kNonsense{Outcome::kBroken, 0};

Outcome outcome_of(protocol::RespReply::Kind kind) {
  using Kind = protocol::RespReply::Kind;
  switch (kind) {
    case Kind::kNull:
      return Outcome::kMiss;
    case Kind::kError:
      return Outcome::kError;
    case Kind::kStatus:
    case Kind::kInteger:
    case Kind::kBulk:
    case Kind::kArray:
      return Outcome::kWrong;
  }
  return Outcome::kWrong;
}

// Any reply: its length, and whether it is a miss, an error or something else.
Reply measure(std::string_view bytes) {
  using Status = protocol::ReplyExtent::Status;
  const protocol::ReplyExtent extent = protocol::measure_reply(bytes);
  switch (extent.status) {
    case Status::kWhole:
      return {outcome_of(extent.kind), extent.size};
    case Status::kNeedMore:
      return kNeedMore;
    case Status::kBroken:
      return kNonsense;
  }
  return kNonsense;
}

}  // namespace

RespCodec::RespCodec(size_t value_bytes)
    : payload_(value_bytes),
      set_head_(fmt::format("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000000\r\n${}\r\n", value_bytes)),
      value_head_(fmt::format("${}\r\n", value_bytes)) {}

void RespCodec::append(std::string& out, const Request& request) const {
  switch (request.operation) {
    case Operation::kGet:
      return append_with_digits(out, kGet, kGet.size() - 2 - kKeyDigits, request.key);
    case Operation::kIncrement:
      return append_with_digits(out, kIncrement, kIncrement.size() - 2 - kKeyDigits, request.key);
    case Operation::kResetCounter:
      return append_with_digits(out, kReset, kResetDigits, request.key);
    case Operation::kSet:
      break;
  }
  append_with_digits(out, set_head_, set_head_.size() - value_head_.size() - 2 - kKeyDigits,
                     request.key);
  const size_t start = out.size();
  out.resize(start + payload_.value_bytes() + 2);
  payload_.write_value(out.data() + start, request.key);
  out[out.size() - 2] = '\r';
  out[out.size() - 1] = '\n';
}

Reply RespCodec::parse_value(std::string_view bytes, const Request& request) const {
  const size_t size = value_head_.size() + payload_.value_bytes() + 2;
  if (!bytes.starts_with(value_head_)) return measure(bytes);
  if (bytes.size() < size) return kNeedMore;
  const std::string_view value = bytes.substr(value_head_.size(), payload_.value_bytes());
  if (bytes[size - 2] != '\r' || bytes[size - 1] != '\n') return kNonsense;
  return {payload_.matches(value, request.key) ? Outcome::kGood : Outcome::kWrong, size};
}

Reply RespCodec::parse(std::string_view bytes, const Request& request) const {
  switch (request.operation) {
    case Operation::kGet:
      return parse_value(bytes, request);
    case Operation::kSet:
    case Operation::kResetCounter:
      if (bytes.starts_with(kOk)) return {Outcome::kGood, kOk.size()};
      break;
    case Operation::kIncrement: {
      Reply reply = measure(bytes);
      if (reply.outcome == Outcome::kWrong && bytes.front() == ':') reply.outcome = Outcome::kGood;
      return reply;
    }
  }
  return measure(bytes);
}

}  // namespace kvorum::bench
