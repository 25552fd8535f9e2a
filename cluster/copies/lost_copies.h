// SPDX-License-Identifier: Apache-2.0
// What it means for a node that copies of partitions may have lost objects: they are damaged
// (whole_replicas.h), so that no answer of theirs counts and no exchange makes them whole before
// their hash trees were built anew; their frontier falls to zero; and the node mints under another
// incarnation, since the store may hold older states of objects than those it counted in. Made by
// whoever owns the parts, told by the ObjectTable; any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "base/mutex.h"
#include "cluster/frontier/whole_replicas.h"
#include "engine/table/object_table.h"

namespace kvorum::cluster {

class FrontierProtocol;

class LostCopies final : public engine::LossListener {
 public:
  // Nothing is owned; all outlive it. The frontier may be null.
  // `renew_incarnation` returns the one that is over.
  LostCopies(WholeReplicas* whole, FrontierProtocol* frontier,
             std::function<uint64_t()> renew_incarnation)
      : whole_(whole), frontier_(frontier), renew_incarnation_(std::move(renew_incarnation)) {}

  void on_loss(uint8_t keyspace, uint32_t partition) override;
  void on_loss_of_all() override;
  // How often copies were found to have lost something; all at once count as one.
  uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  WholeReplicas* const whole_;
  FrontierProtocol* const frontier_;
  const std::function<uint64_t()> renew_incarnation_;
  Mutex mutex_;  // one loss after the other
  std::atomic<uint64_t> count_{0};
};

}  // namespace kvorum::cluster
