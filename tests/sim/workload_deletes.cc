// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "tests/sim/workloads.h"

namespace kvorum::sim {

// Where a delete finds every acknowledged write, its clients ask any node: requests are forwarded,
// retried and run late. Else each has a node of its own, the first primary of all its keys: also
// where the network doubles frames, which TCP does not. The second of two equal first attempts asks
// nobody for leave.
bool DeleteWorkload::roams() const {
  return reads_primaries() && quorum().r + quorum().w > quorum().n &&
         cluster_.swarm.network.duplication == 0;
}

Client::Habits DeleteWorkload::habits(size_t index) const {
  if (roams()) return {db_, 0.8, {}};
  return {db_, 1.0, index % cluster_.nodes.size()};
}

// Where clients do not roam they ask who leads the key, as long as the ring lets it: as that node
// knows it, it hands nothing on.
bool DeleteWorkload::leads_at_home(size_t index, const std::string& key) const {
  if (roams() || !cluster_.swarm.moves()) return true;
  const SimNode& home = *cluster_.nodes[index % cluster_.nodes.size()];
  const cluster::ClusterView& view = home.view();
  const uint32_t partition = cluster_.partition_of_key(key);
  return home.alive() && view.find_moving(partition) == nullptr &&
         view.primaries(db_, partition)[0] == view.self;
}

// Where members change, a client whose home takes none asks another node, and stays there when its
// home is back. That one hands requests on: where a coordinator's answer is lost they are run
// twice, and of a sloppy keyspace whose first primary is out of reach each of both versions may be
// a hint at a node of its own. A delete that asks one of these does not know the other.
bool DeleteWorkload::asked_home(size_t index) {
  if (roams() || !cluster_.swarm.moves()) return true;
  return client(index).node() == index % cluster_.nodes.size();
}

void DeleteWorkload::step(size_t index) {
  Rng& rng = client(index).rng();
  const size_t number = lives_.size();
  std::string key = roams() ? fmt::format("mortal:{}", number)
                            : key_led_by(index % cluster_.nodes.size(), number);
  Life& life = lives_.emplace_back();
  life.key = std::move(key);
  life.at_home = leads_at_home(index, life.key);
  life.way = static_cast<Way>(rng.below(4));
  std::vector<std::string> words{"SET", life.key, fmt::format("mortal-{}", number)};
  if (life.way == Way::kBornWithDeadline) {
    life.judged = true;
    words.insert(words.end(), {"PX", fmt::format("{}", rng.between(1, 20'000))});
  }
  client(index).call(words, [this, index, number](const RespReply* reply) {
    lives_[number].at_home &= asked_home(index);
    if (fate_of(reply) != Fate::kStored || lives_[number].way == Way::kBornWithDeadline) {
      return next(index);
    }
    ++ends_due_;
    cluster_.queue.after(client(index).rng().below(2 * cluster_.swarm.think_us + 1),
                         [this, index, number] {
                           --ends_due_;
                           end_life(index, number);
                         });
  });
}

void DeleteWorkload::end_life(size_t index, size_t number) {
  lives_[number].began_us = now_us();
  const std::string& key = lives_[number].key;
  switch (lives_[number].way) {
    case Way::kContext:
      return delete_with_context(index, number);
    case Way::kDel:
      return end_by(index, number, {"DEL", key});
    case Way::kExpire:
    case Way::kBornWithDeadline:
      return end_by(index, number, {"PEXPIRE", key, "5000"});
  }
}

void DeleteWorkload::delete_with_context(size_t index, size_t number) {
  const std::string& key = lives_[number].key;
  client(index).call({"KV.GET", key}, [this, index, number](const RespReply* reply) {
    if (!reply || reply->items.size() != 2 || reply->items[1].items.empty()) {
      (void)fate_of(reply);
      return next(index);
    }
    client(index).follow_up(
        {"KV.DEL", lives_[number].key, reply->items[0].text},
        [this, index, number](const RespReply* deleted) { note_end(index, number, deleted); });
  });
}

// Where it finds nothing, nothing ends; but what DEL finds evicted it deletes.
void DeleteWorkload::end_by(size_t index, size_t number, std::vector<std::string> words) {
  client(index).call(std::move(words), [this, index, number](const RespReply* reply) {
    const bool deletes = may_be_evicted() && lives_[number].way == Way::kDel;
    if (reply && !reply->is_error() && reply->number == 0 && !deletes) return next(index);
    note_end(index, number, reply);
  });
}

void DeleteWorkload::note_end(size_t index, size_t number, const RespReply* reply) {
  if (fate_of(reply) != Fate::kStored) return next(index);
  ask_copies(index, [this, index, number](const Copies& copies) {
    Life& life = lives_[number];
    life.copies = copies;
    life.judged = life.at_home && asked_home(index) && leads_at_home(index, life.key);
    next(index);
  });
}

std::vector<KeyName> DeleteWorkload::keys() const {
  std::vector<KeyName> names;
  for (const Life& life : lives_) names.push_back({db_, life.key});
  return names;
}

void DeleteWorkload::check(const FinalState& state) {
  for (const Life& life : lives_) {
    const std::vector<std::string>& values = state.at({db_, life.key});
    if (!life.judged || values.empty()) continue;
    if (life.way == Way::kBornWithDeadline) {
      violation(fmt::format("{} is there although its deadline is long past", life.key));
    } else if (cluster_.damage.must_survive(life.copies, life.began_us)) {
      violation(fmt::format("{} was {} and is back: {}", life.key,
                            life.way == Way::kExpire ? "given a deadline" : "deleted",
                            join_words(values, ' ')));
    }
  }
}

}  // namespace kvorum::sim
