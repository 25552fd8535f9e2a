// SPDX-License-Identifier: Apache-2.0
// The keys that a script declared, as it sees and changes them. Of one that is a copy of what was
// read, the edits that changed it are kept: made once more where the key is locked, they are the
// script's effect. One thread at a time.
#pragma once

#include <string_view>
#include <unordered_map>

#include "server/transaction/edit_batch.h"
#include "server/transaction/local_key.h"

namespace kvorum::server {

class ScriptKey {
 public:
  // Of a key that is locked. The input outlives it.
  explicit ScriptKey(const EditInput& input) : local_(input) {}
  // Of a copy, as it was read with this digest (watch_digest()).
  ScriptKey(const EditInput& input, uint64_t digest) : local_(input), keeps_(true) {
    kept_.watch(digest);
  }

  const LocalKey& local() const { return local_; }
  // Of a copy: an edit that does what was done to it, where it is as it was read.
  BatchArgument& kept() { return kept_; }

  EditOutput edit(const cluster::Request& request, std::string& scratch) {
    const EditOutput output = local_.edit(request.edit, request.argument, request.value, scratch);
    if (keeps_ && output.verdict == EditOutput::Verdict::kStore) {
      kept_.edit(request.edit, request.argument, request.value);
    }
    return output;
  }

 private:
  LocalKey local_;
  const bool keeps_ = false;
  BatchArgument kept_;
};

class ScriptKeys {
 public:
  // It outlives this. The same key once only.
  void add(ScriptKey& key) {
    if (only_ == nullptr && several_.empty()) {
      only_ = &key;
      return;
    }
    if (only_ != nullptr) several_.emplace(only_->local().key(), only_);
    only_ = nullptr;
    several_.emplace(key.local().key(), &key);
  }
  // Null where it was not declared.
  ScriptKey* find(std::string_view key) const {
    if (only_ != nullptr) return only_->local().key() == key ? only_ : nullptr;
    const auto found = several_.find(key);
    return found == several_.end() ? nullptr : found->second;
  }

 private:
  ScriptKey* only_ = nullptr;
  std::unordered_map<std::string_view, ScriptKey*> several_;
};

}  // namespace kvorum::server
