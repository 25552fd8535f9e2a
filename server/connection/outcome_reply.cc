// SPDX-License-Identifier: Apache-2.0
#include "server/connection/outcome_reply.h"

#include <fmt/format.h>

#include "base/ascii.h"
#include "base/check.h"
#include "protocol/error_texts.h"

namespace kvorum::server {
namespace {

using cluster::Outcome;
using protocol::Reply;

std::string with_detail(std::string text, std::string_view detail) {
  if (!detail.empty()) text.append(": ").append(detail);
  return text;
}

// Of an operation that another node coordinated, or should have.
constexpr std::string_view kNobodyAnswered = "no node that holds the key answered in time";
constexpr std::string_view kNotReported =
    "the node that was to coordinate the write did not report in time; the write may appear later";

std::string without_count(std::string_view code, std::string_view text, std::string_view instead) {
  return fmt::format("{} {}", code, text.empty() ? instead : text);
}

std::string failure_text(const FailedOperation& failure) {
  switch (failure.outcome) {
    case Outcome::kOk:
    case Outcome::kRejected:
      return std::string(failure.text);
    case Outcome::kNoQuorum:
      if (failure.needed == 0) return without_count("NOQUORUM", failure.text, kNobodyAnswered);
      return with_detail(
          fmt::format("NOQUORUM {} of {} replicas {}", failure.acknowledged, failure.needed,
                      failure.is_read ? "answered" : "can be reached, nothing was written"),
          failure.text);
    case Outcome::kUncertain:
      if (failure.needed == 0) return without_count("UNCERTAIN", failure.text, kNotReported);
      return with_detail(
          fmt::format("UNCERTAIN {} of {} replicas acknowledged; the write may appear later",
                      failure.acknowledged, failure.needed),
          failure.text);
    case Outcome::kTooManySiblings:
      return with_detail(
          "TOOMANYSIBLINGS the key has as many concurrent versions as limits.siblings allows; "
          "read with KV.GET, write back with KV.PUT",
          failure.text);
    case Outcome::kNotOwner:
      return "NOTOWNER this node is no primary of the key";
    case Outcome::kStoreFailed:
      return with_detail(
          "MISCONF Kvorum cannot write to its disk, so this node takes no writes until the store "
          "was reopened. Please look at the log of the node and free or repair the disk",
          failure.text);
    case Outcome::kOutOfMemory:
      return std::string(protocol::kOutOfMemory);
    case Outcome::kClusterDown:
      return failure.text.empty()
                 ? "CLUSTERDOWN this node is not a member of the cluster yet, or is starting"
                 : fmt::format("CLUSTERDOWN {}", failure.text);
  }
  return "ERR unknown outcome";
}

// memcached's clients look at the first word only; the code stands in lower case behind it.
std::string memcached_text(const FailedOperation& failure) {
  if (failure.outcome == Outcome::kOutOfMemory) {
    return "SERVER_ERROR out of memory storing object";
  }
  std::string text = failure_text(failure);
  if (text.starts_with("CLIENT_ERROR ") || text.starts_with("SERVER_ERROR ")) return text;
  for (char& letter : text) {
    if (letter < 'A' || letter > 'Z') break;
    letter = to_lower(letter);
  }
  return "SERVER_ERROR " + text;
}

protocol::MemcachedStatus memcached_status(const FailedOperation& failure) {
  using Status = protocol::MemcachedStatus;
  switch (failure.outcome) {
    case Outcome::kOk:
      return Status::kOk;
    case Outcome::kRejected:
      if (failure.text.starts_with("SERVER_ERROR object too large")) return Status::kTooLarge;
      return failure.text.starts_with("CLIENT_ERROR ") ? Status::kNotANumber : Status::kInternal;
    case Outcome::kOutOfMemory:
      return Status::kNoMemory;
    case Outcome::kNoQuorum:
    case Outcome::kUncertain:
    case Outcome::kStoreFailed:
    case Outcome::kClusterDown:
      return Status::kTemporary;
    case Outcome::kTooManySiblings:
    case Outcome::kNotOwner:
      return Status::kInternal;
  }
  return Status::kInternal;
}

// What memcached has no word for has ours.
Reply binary_failure(const FailedOperation& failure, std::string_view echo) {
  using Status = protocol::MemcachedStatus;
  const Status status = memcached_status(failure);
  if (status != Status::kTemporary && status != Status::kInternal) {
    return Reply::refusal(echo, status);
  }
  return Reply::frame_owned(echo, status, failure_text(failure));
}

}  // namespace

Reply failure_reply(const FailedOperation& failure, Dialect dialect, std::string_view echo) {
  KVORUM_CHECK(failure.outcome != Outcome::kOk);
  if (dialect == Dialect::kMemcachedBinary) return binary_failure(failure, echo);
  if (dialect == Dialect::kMemcached) return Reply::error_owned(memcached_text(failure));
  if (failure.outcome == Outcome::kRejected) return Reply::error(failure.text);
  return Reply::error_owned(failure_text(failure));
}

}  // namespace kvorum::server
