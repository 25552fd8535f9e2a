// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/scenarios.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/client.h"
#include "tests/sim/workload.h"

namespace kvorum::sim {
namespace {

constexpr uint64_t kSecond = 1'000'000;
constexpr const char* kKey = "k";

class Story {
 public:
  explicit Story(const Swarm& swarm) : cluster_(swarm) { cluster_.start(); }

  size_t place(size_t at) const { return cluster_.node_for(kKey, at); }
  Cluster& cluster() { return cluster_; }
  void pass(uint64_t time_us) { cluster_.queue.run_for(time_us); }

  void set(size_t node, const std::string& value) {
    Client client(cluster_, {kSiblingsDb, 1.0, node}, 1);
    const RespReply reply = client.run({"SET", kKey, value});
    if (reply.is_error()) say(fmt::format("SET {} failed: {}", value, reply.text));
  }
  void isolate(size_t node) {
    cluster_.isolate(node);
    pass(kSecond);
  }
  void heal() {
    cluster_.heal();
    const bool settled = cluster_.run_until(60 * kSecond, [this] {
      return cluster_.network.all_linked() && cluster_.hints_pending() == 0 &&
             cluster_.describe_backlog().empty();
    });
    if (!settled) say("the cluster did not settle: " + cluster_.nodes[0]->describe_hints());
  }
  void restart(size_t node, Death how) {
    cluster_.kill(node, how);
    isolate(node);
    cluster_.start_node(node);
    pass(kSecond);
  }
  // Both values, as siblings, at a client of each node.
  void expect_both(std::vector<std::string> wanted) {
    std::sort(wanted.begin(), wanted.end());
    for (size_t node = 0; node < cluster_.nodes.size(); ++node) {
      Client client(cluster_, {kSiblingsDb, 1.0, node}, 1);
      const RespReply reply = client.run({"KV.GET", kKey});
      std::vector<std::string> values;
      if (reply.items.size() == 2) {
        for (const RespReply& value : reply.items[1].items) values.push_back(value.text);
      }
      std::sort(values.begin(), values.end());
      if (values == wanted) continue;
      say(fmt::format("node {} reads [{}] instead of [{}]", cluster_.node_name(node),
                      join_words(values, ' '), join_words(wanted, ' ')));
    }
  }
  void say(std::string trouble) { troubles_.push_back(std::move(trouble)); }
  Troubles troubles() {
    troubles_.insert(troubles_.end(), cluster_.violations.begin(), cluster_.violations.end());
    return troubles_;
  }

 private:
  Cluster cluster_;
  Troubles troubles_;
};

Swarm durable_swarm(size_t nodes) {
  Swarm swarm = plain_swarm(nodes);
  swarm.durable = true;
  swarm.sync = engine::SyncPolicy::kInterval;
  return swarm;
}

}  // namespace

Troubles forgetful_fallback() {
  Story story(plain_swarm(4));
  const size_t fallback = story.place(3);
  story.isolate(fallback);
  story.set(fallback, "first");
  if (story.cluster().hints_pending() != 3) story.say("a lone fallback keeps a hint per primary");
  story.heal();
  story.isolate(fallback);
  story.set(fallback, "second");
  story.heal();
  story.expect_both({"first", "second"});
  return story.troubles();
}

Troubles wiped_node() {
  Story story(durable_swarm(3));
  const size_t primary = story.place(0);
  story.set(primary, "before");
  story.pass(kSecond);
  story.restart(primary, Death::kWipe);
  story.set(primary, "after");
  story.heal();
  story.expect_both({"before", "after"});
  return story.troubles();
}

Troubles unsynced_crash() {
  Story story(durable_swarm(3));
  const size_t primary = story.place(0);
  story.set(primary, "synced");
  story.pass(3 * kSecond);
  story.cluster().nodes[primary]->disk().set_keeps_some(false);
  story.set(primary, "lost here");
  story.restart(primary, Death::kPower);
  const std::vector<std::string> kept = story.cluster().own_values(primary, kSiblingsDb, kKey);
  if (kept != std::vector<std::string>{"synced"})
    story.say("the crash lost too much or too little");
  story.set(primary, "after");
  story.heal();
  story.expect_both({"lost here", "after"});
  return story.troubles();
}

const std::vector<Scenario>& scenarios() {
  static const std::vector<Scenario> all{
      {"forgetful fallback", forgetful_fallback},
      {"wiped node", wiped_node},
      {"unsynced crash", unsynced_crash},
  };
  return all;
}

}  // namespace kvorum::sim
