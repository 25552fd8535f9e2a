// SPDX-License-Identifier: Apache-2.0
#include "server/transaction/local_key.h"

#include "base/check.h"
#include "server/pubsub/key_events.h"

namespace kvorum::server {

using Verdict = EditOutput::Verdict;

EditOutput LocalKey::edit(cluster::EditCode code, std::string_view argument, std::string_view value,
                          std::string& scratch) {
  if (!visible_.empty()) work_bytes_ += visible_[0].bytes.size();
  // What an edit before removed is not there, whatever other copies have.
  const bool may_be_evicted = input_.may_be_evicted && !stored_;
  const EditInput step{input_.key,    input_.object, visible_,
                       input_.now_ms, input_.origin, may_be_evicted,
                       argument,      value,         input_.value_bytes_max};
  const EditOutput output = all_edits()[code].apply(step, scratch);
  if (output.verdict != Verdict::kStore) return output;
  events_ |= events_of(code, argument, output, input_.now_ms);
  store(output);
  return output;
}

EditOutput LocalKey::result() const {
  KVORUM_CHECK(stored_);
  EditOutput output = last_;
  output.bytes = bytes_[last_bytes_];
  return output;
}

// `output` may point into the bytes that it replaces, and so may what it answers: they stay until
// the next one.
void LocalKey::store(const EditOutput& output) {
  const size_t at = 1 - last_bytes_;
  bytes_[at].assign(output.bytes);
  last_bytes_ = at;
  work_bytes_ += output.bytes.size();
  // Of the bytes that lay there before: only while all edits kept them.
  const bool keeps_origin = output.keep_origin && (!stored_ || last_.keep_origin);
  last_ = output;
  if (output.keep_origin && !visible_.empty()) last_.marks |= visible_[0].marks;
  last_.keep_origin = keeps_origin;
  stored_ = true;
  visible_.clear();
  if (output.type == cluster::TypeTag::kTombstone) return;
  cluster::Version version;
  version.type = output.type;
  version.flags = output.flags;
  version.deadline_ms = output.deadline_ms;
  version.marks = last_.marks;
  version.bytes = bytes_[at];
  visible_.push_back(version);
}

}  // namespace kvorum::server
