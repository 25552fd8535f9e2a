// SPDX-License-Identifier: Apache-2.0
#include "cluster/coordinator/machine_table.h"

#include <gtest/gtest.h>

namespace kvorum::cluster {
namespace {

struct CountedMachine final : Machine {
  explicit CountedMachine(size_t opened) : opened_(opened) {}
  void on_loaded(SlotId, bool, Now) override {}
  void on_timer(SlotId, Now) override {}
  void on_link_down(MemberIndex peer, Now) override { down = peer; }
  size_t open() const override { return opened_; }
  size_t unfinished() const override { return 1; }
  MemberIndex down = kNoMember;

 private:
  const size_t opened_;
};

// An id as a pool with that tag gives it.
SlotId id_of(OperationPool pool) { return uint64_t{1} << 32 | uint64_t(pool) << kSlotTagShift; }

TEST(MachineTable, AnIdNamesItsMachine) {
  CountedMachine requests(3), repairs(2);
  MachineTable table;
  table.set(OperationPool::kRequests, requests);
  table.set(OperationPool::kKeyRepairs, repairs);
  EXPECT_EQ(table.find(id_of(OperationPool::kRequests)), &requests);
  EXPECT_EQ(table.find(id_of(OperationPool::kKeyRepairs)), &repairs);
  EXPECT_EQ(table.find(id_of(OperationPool::kHintReplays)), nullptr);  // without a control
  EXPECT_EQ(table.find(~SlotId{0}), nullptr);                          // of a tag that no pool has
}

TEST(MachineTable, AsksAllThatAreThere) {
  CountedMachine requests(3), repairs(2);
  MachineTable table;
  table.set(OperationPool::kRequests, requests);
  table.set(OperationPool::kKeyRepairs, repairs);
  EXPECT_EQ(table.open(), 5u);
  EXPECT_EQ(table.unfinished(), 2u);
  table.on_link_down(4, {});
  EXPECT_EQ(requests.down, 4);
  EXPECT_EQ(repairs.down, 4);
}

}  // namespace
}  // namespace kvorum::cluster
