// SPDX-License-Identifier: Apache-2.0
// A key inside one edit that is made of many: each edit sees what the one before left, and what the
// last one leaves is the one version that is written. A value; used under the key's critical
// section, or by a script on a copy of what was read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/commands/edits.h"
#include "server/connection/key_event.h"

namespace kvorum::server {

class LocalKey {
 public:
  using Visible = InlineVector<cluster::Version, 1>;
  // What its edits may copy, about: a partition may be locked meanwhile.
  static constexpr uint64_t kWorkBytesMax = uint64_t{1} << 30;

  // The key as the input shows it, which outlives this.
  explicit LocalKey(const EditInput& input) : input_(input), visible_(input.visible) {}
  LocalKey(const LocalKey&) = delete;

  std::string_view key() const { return input_.key.key; }
  const Visible& visible() const { return visible_; }
  bool stored() const { return stored_; }
  // What its edits did to it, for subscribers of keyspace events.
  KeyEvents events() const { return events_; }
  // More than kWorkBytesMax were copied: no further edit should be tried.
  bool is_overworked() const { return work_bytes_ > kWorkBytesMax; }

  // What the edit answers; kept until the next one, or as long as `scratch`.
  EditOutput edit(cluster::EditCode code, std::string_view argument, std::string_view value,
                  std::string& scratch);
  // REQUIRES: stored(). The version to be written; its bytes are this one's.
  EditOutput result() const;

 private:
  void store(const EditOutput& output);

  const EditInput& input_;
  Visible visible_;
  // The value that was stored last, and the one before, which an answer may point into.
  std::string bytes_[2];
  size_t last_bytes_ = 0;
  EditOutput last_;
  bool stored_ = false;
  KeyEvents events_ = 0;
  uint64_t work_bytes_ = 0;
};

}  // namespace kvorum::server
