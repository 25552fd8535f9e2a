// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/story.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "tests/sim/client.h"

namespace kvorum::sim {
namespace {

constexpr uint64_t kMs = 1000;
constexpr uint64_t kHealUs = 60'000'000;
constexpr const char* kKey = "k";

using Words = std::vector<std::string>;

Words words_of(const std::string& line) {
  std::istringstream in(line.substr(0, line.find('#')));
  Words words;
  for (std::string word; in >> word;) words.push_back(word == "''" ? "" : word);
  return words;
}

Swarm swarm_of(const Words& words) {
  Swarm swarm = plain_swarm(words.size() > 1 ? std::stoul(words[1]) : 3);
  for (size_t at = 2; at < words.size(); ++at) {
    const std::string& word = words[at];
    const auto number = [&] { return at + 1 < words.size() ? std::stoul(words[++at]) : 0; };
    if (word == "durable") swarm.durable = true;
    if (word == "always") swarm.sync = engine::SyncPolicy::kAlways;
    if (word == "interval") swarm.sync = engine::SyncPolicy::kInterval;
    if (word == "buffered") swarm.sync = engine::SyncPolicy::kBuffered;
    swarm.options.buffers_writes = swarm.sync == engine::SyncPolicy::kBuffered;
    if (word == "never") swarm.sync = engine::SyncPolicy::kNever;
    if (word == "lww") swarm.keyspaces[kSiblingsDb].conflicts = cluster::ConflictPolicy::kLww;
    if (word == "cache") swarm.memory_bytes = number();
    if (word == "reactors") swarm.reactors = number();
    if (word == "hints") swarm.options.hints_interval_ms = static_cast<uint32_t>(number());
    cluster::KeyspacePolicy& policy = swarm.keyspaces[kSiblingsDb];
    if (word == "n") policy.n = static_cast<uint8_t>(number());
    if (word == "r") policy.r = static_cast<uint8_t>(number());
    if (word == "w") policy.w = static_cast<uint8_t>(number());
  }
  return swarm;
}

// [context, [values]]
bool is_pair(const RespReply& reply) {
  return reply.items.size() == 2 && reply.items[1].kind == RespReply::Kind::kArray;
}

Words shown(const RespReply& reply) {
  switch (reply.kind) {
    case RespReply::Kind::kInteger:
      return {std::to_string(reply.number)};
    case RespReply::Kind::kNull:
      return {"nil"};
    case RespReply::Kind::kError:
      return {reply.text.substr(0, reply.text.find(' '))};
    case RespReply::Kind::kStatus:
    case RespReply::Kind::kBulk:
      return {reply.text};
    case RespReply::Kind::kArray:
      break;
  }
  // Of [context, [values]] the values.
  Words values;
  for (const RespReply& item : is_pair(reply) ? reply.items[1].items : reply.items) {
    values.push_back(item.text);
  }
  std::sort(values.begin(), values.end());
  return values;
}

std::string join(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

class Play {
 public:
  explicit Play(const Swarm& swarm) : cluster_(swarm) { cluster_.start(); }

  // Says what went wrong; empty where nothing did.
  std::string step(const Words& words);
  const std::vector<std::string>& violations() const { return cluster_.violations; }

 private:
  std::string compare(Words wanted);
  std::string fault(const Words& words);
  std::string send(const Words& words);
  std::string heal();
  size_t node(const std::string& name) const {
    return cluster_.node_for(kKey, std::stoul(name.substr(1)));
  }
  bool names_node(const std::string& word) const {
    return word.size() == 2 && word[0] == 'p' && word[1] >= '0' &&
           word[1] < static_cast<char>('0' + cluster_.nodes.size());
  }

  Cluster cluster_;
  std::vector<std::unique_ptr<Client>> senders_;
  RespReply last_;
  std::string context_;
};

std::string Play::compare(Words wanted) {
  Words got = shown(last_);
  std::sort(wanted.begin(), wanted.end());
  if (got == wanted) return {};
  return fmt::format("answered [{}] instead of [{}]", join(got), join(wanted));
}

std::string Play::heal() {
  cluster_.heal();
  const bool healed = cluster_.run_until(kHealUs, [&] {
    return cluster_.network.all_linked() && cluster_.hints_pending() == 0 &&
           cluster_.describe_backlog().empty();
  });
  return healed ? "" : "did not heal: " + cluster_.describe_backlog();
}

std::string Play::fault(const Words& words) {
  const std::string& what = words[0];
  const size_t target = node(words[1]);
  const uint64_t number = words.size() > 2 && !names_node(words[2]) ? std::stoul(words[2]) : 0;
  if (what == "cut" && words.size() == 3) return cluster_.cut(target, node(words[2])), "";
  if (what == "mute" && words.size() == 3) {
    cluster_.network.cut(target, node(words[2]), false);
    return {};
  }
  if (what == "isolate") return cluster_.isolate(target), "";
  if (what == "kill") return cluster_.kill(target, Death::kKill), "";
  if (what == "power") {
    cluster_.nodes[target]->disk().set_keeps_some(false);
    cluster_.kill(target, Death::kPower);
    return {};
  }
  if (what == "wipe") return cluster_.kill(target, Death::kWipe), "";
  if (what == "stop") return cluster_.kill(target, Death::kClean), "";
  if (what == "break") return cluster_.nodes[target]->disk().set_broken(true), "";
  if (what == "mend") return cluster_.nodes[target]->disk().set_broken(false), "";
  if (what == "start") return cluster_.start_node(target), "";
  if (what == "clock") return cluster_.nodes[target]->move_clock(static_cast<int64_t>(number)), "";
  if (what == "pause") {
    cluster_.nodes[target]->pause_until(cluster_.queue.now_us() + number * kMs);
    return {};
  }
  return "no such step: " + join(words);
}

std::string Play::send(const Words& words) {
  const Client::Habits habits{kSiblingsDb, 1.0, node(words[1])};
  senders_.push_back(std::make_unique<Client>(cluster_, habits, senders_.size()));
  senders_.back()->call({words.begin() + 2, words.end()}, [](const RespReply*) {});
  return {};
}

std::string Play::step(const Words& words) {
  if (words[0] == "=") return compare({words.begin() + 1, words.end()});
  if (words[0] == "heal") return heal();
  if (words[0] == "equal") {
    std::string trouble;
    return cluster_.same_digests(kSiblingsDb, &trouble) ? "" : trouble;
  }
  if (words.size() < 2) return "no such step: " + join(words);
  if (names_node(words[0])) {
    Client client(cluster_, {kSiblingsDb, 1.0, node(words[0])}, 1);
    Words command(words.begin() + 1, words.end());
    std::replace(command.begin(), command.end(), std::string("@"), context_);
    last_ = client.run(command);
    if (is_pair(last_)) context_ = last_.items[0].text;
    if (words[1] == "KV.PUT") context_ = last_.text;
    return {};
  }
  if (words[0] == "send" && words.size() > 2) return send(words);
  if (words[0] == "pass") return cluster_.queue.run_for(std::stoul(words[1]) * kMs), "";
  if (words[0] == "hints") {
    const uint64_t pending = cluster_.hints_pending();
    return pending == std::stoul(words[1]) ? "" : fmt::format("{} hints are pending", pending);
  }
  return names_node(words[1]) ? fault(words) : "no such step: " + join(words);
}

}  // namespace

std::vector<std::string> play(std::string_view story) {
  std::istringstream lines{std::string(story)};
  std::vector<std::string> troubles;
  std::unique_ptr<Play> stage;
  size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const Words words = words_of(line);
    if (words.empty()) continue;
    if (words[0] == "nodes") {
      stage = std::make_unique<Play>(swarm_of(words));
      continue;
    }
    const std::string trouble = stage ? stage->step(words) : "a story begins with nodes";
    if (!trouble.empty()) troubles.push_back(fmt::format("line {}: {}", number, trouble));
  }
  if (!stage) return {"nothing was played"};
  troubles.insert(troubles.end(), stage->violations().begin(), stage->violations().end());
  return troubles;
}

}  // namespace kvorum::sim
