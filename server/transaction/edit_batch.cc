// SPDX-License-Identifier: Apache-2.0
#include "server/transaction/edit_batch.h"

#include <algorithm>

#include "base/hash.h"
#include "server/transaction/local_key.h"

namespace kvorum::server {
namespace {

using cluster::Version;
using Verdict = EditOutput::Verdict;

enum class Step : uint8_t { kRead, kEdit };
enum class Answer : uint8_t { kVersions, kEdited, kRejected };

constexpr std::string_view kTooMuchWork =
    "ERR the transaction changes a large value too often: use fewer commands for this key";
constexpr std::string_view kRepliesTooLarge =
    "ERR the replies of the transaction for this key are larger than a value may be";

// Runs the steps and writes what they answer.
class Batch {
 public:
  Batch(const EditInput& input, std::string& scratch)
      : input_(input), key_(input), replies_(scratch) {
    replies_.clear();
  }

  void read() {
    const size_t before = replies_.size();
    put_u8(replies_, static_cast<uint8_t>(Answer::kVersions));
    put_versions(replies_, key_.visible());
    if (replies_.size() <= reply_bytes_max()) return;
    replies_.resize(before);
    put_rejection(kRepliesTooLarge);
  }

  void edit(cluster::EditCode code, std::string_view argument, std::string_view value) {
    if (key_.is_overworked()) return put_rejection(kTooMuchWork);
    std::string made;
    const EditOutput output = key_.edit(code, argument, value, made);
    if (output.verdict == Verdict::kReject) return put_rejection(output.reply_bytes);
    put_u8(replies_, static_cast<uint8_t>(Answer::kEdited));
    put_u8(replies_, output.reply_code);
    put_u64(replies_, static_cast<uint64_t>(output.reply_number));
    put_u8(replies_, output.has_reply_bytes);
    if (output.has_reply_bytes) put_bytes(replies_, output.reply_bytes);
  }

  // `scratch` has the replies, and behind them the value.
  EditOutput finish() { return answer_behind(key_, replies_, kBatchDone); }

 private:
  size_t reply_bytes_max() const {
    constexpr size_t kLeast = 1024 * 1024;
    return std::max(kLeast, static_cast<size_t>(input_.value_bytes_max));
  }
  void put_rejection(std::string_view text) {
    put_u8(replies_, static_cast<uint8_t>(Answer::kRejected));
    put_bytes(replies_, text);
  }

  const EditInput& input_;
  LocalKey key_;
  std::string& replies_;
};

EditOutput gave_way() { return keep(kBatchGaveWay); }

}  // namespace

void put_versions(std::string& out, const InlineVector<Version, 1>& versions) {
  put_varint(out, versions.size());
  for (const Version& version : versions) {
    put_varint(out, version.flags);
    put_varint(out, version.deadline_ms);
    put_bytes(out, version.bytes);
  }
}

EditOutput answer_behind(const LocalKey& key, std::string& scratch, uint8_t reply_code) {
  EditOutput output;
  const size_t reply_bytes = scratch.size();
  if (key.stored()) {
    output = key.result();
    scratch.append(output.bytes);
    output.bytes = std::string_view(scratch).substr(reply_bytes);
  }
  output.reply_number = static_cast<int64_t>(key.events());
  return with_reply(output, reply_code, std::string_view(scratch).substr(0, reply_bytes));
}

uint64_t watch_digest(const cluster::Object& object, uint64_t now_ms) {
  if (visible_versions(object, now_ms).empty()) return 0;
  std::string bytes;
  for (const cluster::VectorEntry& entry : object.vector) {
    put_u64(bytes, entry.actor.node);
    put_u64(bytes, entry.actor.incarnation);
    put_u64(bytes, entry.hlc.value);
  }
  for (const Version& version : object.versions) put_u64(bytes, version.dot.hlc.value);
  return xxh64(bytes) | 1;
}

EditOutput edit_batch(const EditInput& input, std::string& scratch) {
  ByteReader reader(input.argument);
  if (reader.u8() != 0 && reader.u64() != watch_digest(input.object, input.now_ms)) {
    return gave_way();
  }
  Batch batch(input, scratch);
  while (reader.ok() && !reader.done()) {
    if (static_cast<Step>(reader.u8()) == Step::kRead) {
      batch.read();
      continue;
    }
    const cluster::EditCode code = reader.u8();
    const std::string_view argument = reader.bytes();
    const std::string_view value = reader.bytes();
    if (!reader.ok() || code == kEditBatch || code >= kEditCount) {
      return reject("ERR a transaction was malformed");
    }
    batch.edit(code, argument, value);
  }
  return batch.finish();
}

void BatchArgument::begin() {
  if (bytes_.empty()) put_u8(bytes_, 0);
}

void BatchArgument::watch(uint64_t digest) {
  KVORUM_CHECK(bytes_.empty());
  put_u8(bytes_, 1);
  put_u64(bytes_, digest);
}

void BatchArgument::read() {
  begin();
  put_u8(bytes_, static_cast<uint8_t>(Step::kRead));
}

void BatchArgument::edit(cluster::EditCode code, std::string_view argument,
                         std::string_view value) {
  begin();
  put_u8(bytes_, static_cast<uint8_t>(Step::kEdit));
  put_u8(bytes_, code);
  put_bytes(bytes_, argument);
  put_bytes(bytes_, value);
}

const std::string& BatchArgument::bytes() {
  begin();
  return bytes_;
}

bool get_versions(ByteReader& reader, InlineVector<Version, 1>* versions) {
  const uint64_t count = reader.varint();
  versions->clear();
  for (uint64_t at = 0; at < count && reader.ok(); ++at) {
    Version version;
    version.flags = static_cast<uint32_t>(reader.varint());
    version.deadline_ms = reader.varint();
    version.bytes = reader.bytes();
    versions->push_back(version);
  }
  return reader.ok();
}

bool BatchReplies::next(const cluster::Completion& whole, cluster::Completion* completion) {
  *completion = {};
  completion->now_ms = whole.now_ms;
  completion->service = whole.service;
  switch (static_cast<Answer>(reader_.u8())) {
    case Answer::kVersions:
      completion->object = &object_;
      return get_versions(reader_, &object_.versions);
    case Answer::kRejected:
      completion->outcome = cluster::Outcome::kRejected;
      completion->text = reader_.bytes();
      return reader_.ok();
    case Answer::kEdited:
      completion->reply_code = reader_.u8();
      completion->reply_number = static_cast<int64_t>(reader_.u64());
      completion->has_reply_bytes = reader_.u8() != 0;
      if (completion->has_reply_bytes) completion->reply_bytes = reader_.bytes();
      return reader_.ok();
  }
  return false;
}

}  // namespace kvorum::server
