// SPDX-License-Identifier: Apache-2.0
// A Store that several threads may write: the commit thread writes objects, a store thread the
// node's own facts. Writers take turns; readers do not wait. Owned by the node.
#pragma once

#include <memory>

#include "base/mutex.h"
#include "engine/store/store.h"

namespace kvorum::server {

class SerialStore final : public engine::Store {
 public:
  explicit SerialStore(std::unique_ptr<engine::Store> store) : store_(std::move(store)) {}

  Status write(const engine::StoreBatch& batch, bool sync) override {
    const MutexLock lock(writers_);
    return store_->write(batch, sync);
  }
  Status sync() override { return store_->sync(); }
  Status reopen() override {
    const MutexLock lock(writers_);
    return store_->reopen();
  }
  Result<std::string> salvage(const Status& damage) override {
    const MutexLock lock(writers_);
    return store_->salvage(damage);
  }
  Status read(std::string_view key, std::string* value) const override {
    return store_->read(key, value);
  }
  Status scan(std::string_view begin, std::string_view end,
              FunctionRef<bool(std::string_view key, std::string_view value)> fn) const override {
    return store_->scan(begin, end, fn);
  }

 private:
  const std::unique_ptr<engine::Store> store_;
  Mutex writers_;  // one at a time
};

}  // namespace kvorum::server
