// SPDX-License-Identifier: Apache-2.0
// What a transaction does with one key, as one edit: its commands run one after the other inside
// the key's critical section, each on what the one before left, and what the last leaves is written
// as one version. So no replica ever has a part of them. A command that is rejected leaves the
// others as they are, as in Redis. Where the key was watched, nothing is done if it is not as it
// was read.
//
//   argument: u8 watched, u64 digest if so, then each step: u8 kind, of an edit its code, argument
//             and value
//   reply:    each step: u8 kind, then what its command's reply is made of
#pragma once

#include <string>
#include <string_view>

#include "cluster/wire/request.h"
#include "server/commands/edits.h"

namespace kvorum::server {

// Of a key as it was read: equal as long as nobody has written it, nor its time has come. Keys that
// are not there are alike.
uint64_t watch_digest(const cluster::Object& object, uint64_t now_ms);

class LocalKey;

// What a client sees of a key, for one who looks at it elsewhere.
void put_versions(std::string& out, const InlineVector<cluster::Version, 1>& versions);
// They borrow from what is read. False where that is malformed.
bool get_versions(ByteReader& reader, InlineVector<cluster::Version, 1>* versions);

// The answer of an edit that was made of many: what `scratch` holds; behind that the value is put.
EditOutput answer_behind(const LocalKey& key, std::string& scratch, uint8_t reply_code);

class BatchArgument {
 public:
  // Before the first step.
  void watch(uint64_t digest);
  void read();
  void edit(cluster::EditCode code, std::string_view argument, std::string_view value);
  const std::string& bytes();

 private:
  void begin();

  std::string bytes_;
};

// Completion::reply_code of the edit.
inline constexpr uint8_t kBatchDone = 0, kBatchGaveWay = 1;  // a watched key has changed

// What the steps answered, in their order.
class BatchReplies {
 public:
  explicit BatchReplies(std::string_view bytes) : reader_(bytes) {}

  // Makes of the next step's answer the completion that its command would have had by itself. That
  // borrows from the bytes, and from this. False where they are malformed, or there is none.
  bool next(const cluster::Completion& whole, cluster::Completion* completion);

 private:
  ByteReader reader_;
  cluster::Object object_;
};

}  // namespace kvorum::server
