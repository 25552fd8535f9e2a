// SPDX-License-Identifier: Apache-2.0
// Requests under way at one node while the sets in play of their partition change. A test plays the
// replicas.
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cluster/coordinator/request_runner.h"
#include "tests/cluster/lone_requests.h"
#include "tests/cluster/moving_view.h"

namespace kvorum::cluster::fixtures {

// This node is the first of six in the key's preference list; of three copies two are a quorum.
class BegunAnew : public ::testing::Test {
 protected:
  using Phase = Operation::Phase;
  using Verdict = ReplicaVerdict;
  using Places = std::initializer_list<size_t>;

  explicit BegunAnew(const LoneShape& shape = {.members = 6}) : lone(without_starter(shape)) {
    lone->stand_at(0);
    lone->link_all();
    for (size_t place = 0; place < lone->view->members.size(); ++place) {
      members.push_back(lone->at(place));
    }
  }

  // ---- the ring changes
  void publish(const std::function<void(ClusterView&)>& change) {
    const std::shared_ptr<const ClusterView> earlier = lone->view;
    lone->publish(change);
    runner.on_view(*earlier, lone->now);
  }
  // The sets are places in the list as it was at first.
  void move(std::vector<Places> sets, size_t readable) {
    publish([&](ClusterView& view) {
      std::vector<OwnerSet> made;
      for (const Places& places : sets) {
        OwnerSet& set = made.emplace_back();
        set.set = 1;
        set.n = 3;
        set.r = set.w = static_cast<uint8_t>(std::min<size_t>(2, places.size()));
        for (const size_t place : places) {
          set.owners.push_back(members[place]);
          set.set = 10 * set.set + place;  // no two sets with one id
        }
      }
      move_partition(view, view.ring.partition_of(lone->ref(lone->key).position), made, readable);
    });
  }
  void move(Places older, Places newer) { move({older, newer}, 2); }
  // The newest set alone is in play from then on, with the primaries of the ring.
  void settle() {
    publish([](ClusterView& view) { view.moving.clear(); });
  }

  // ---- requests
  void start(const Request& request) {
    runner.submit(request, 5, lone->now);
    id = only_id();
  }
  void get() { start(lone->get()); }
  void set() { start(lone->edit(test_edits::kSet)); }
  void increment() { start(lone->edit(test_edits::kIncrement)); }
  // 0: none is under way.
  SlotId only_id() {
    SlotId found = 0;
    lone->core.open.requests.for_each([&](SlotId open, const Operation&) { found = open; });
    return found;
  }
  // The operation has another id than before.
  void expect_renewed() {
    const SlotId later = only_id();
    ASSERT_NE(later, 0u);
    EXPECT_NE(later, id);
    EXPECT_TRUE(lone->ended(id)) << "nothing finds it by the older one";
    id = later;
  }
  Operation& operation() { return lone->of(id); }
  uint8_t attempt() { return operation().reading.attempt; }

  // ---- what replicas hear and answer
  ReplicaRead asked(size_t place) { return fenced(lone->asked(members[place])); }
  ReplicaWrite wrote(size_t place) { return fenced(lone->wrote(members[place])); }
  template <class Message>
  Message fenced(const Message& message) {
    EXPECT_EQ(message.signature, lone->core.signature(lone->ref(lone->key)));
    return message;
  }
  void forget_frames() {
    for (const MemberIndex member : members) lone->sent(member);
  }
  void read_reply(size_t place, const ReplicaReadReply& reply) {
    runner.table().on_read_reply(id, {members[place], reply}, lone->now);
  }
  void absent(size_t place) {
    read_reply(place, LoneRequests::verdict(Verdict::kAbsent, attempt()));
  }
  void write_reply(size_t place, Verdict verdict = Verdict::kOk) {
    runner.table().on_write_reply(id, {members[place], LoneRequests::written(verdict)}, lone->now);
  }
  void live_us(uint64_t us) {
    const uint64_t until_us = lone->now.steady_us + us;
    for (;;) {
      const uint64_t due_us = lone->core.open.timers.next_due_us();
      const bool more = due_us != 0 && due_us <= until_us;
      lone->pass_us((more ? std::max(due_us, lone->now.steady_us) : until_us) -
                    lone->now.steady_us);
      if (!more) return;
      while (const std::optional<SlotId> due =
                 lone->core.open.timers.take_due(lone->now.steady_us)) {
        runner.table().on_timer(*due, lone->now);
      }
    }
  }

  static std::unique_ptr<LoneRequests> without_starter(const LoneShape& shape) {
    auto made = std::make_unique<LoneRequests>(shape);
    made->core.starter = nullptr;
    return made;
  }
  std::unique_ptr<LoneRequests> lone;
  RequestRunner runner{lone->core};
  std::vector<MemberIndex> members;  // by place
  SlotId id = 0;
};

}  // namespace kvorum::cluster::fixtures
