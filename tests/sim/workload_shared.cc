// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/workloads.h"

namespace kvorum::sim {
namespace {

constexpr uint64_t kWordsMax = 60;  // appended to one key
constexpr double kReadChance = 0.3;

bool tells_of_siblings(const RespReply& reply) {
  return reply.kind == RespReply::Kind::kArray || reply.is_error("CONFLICT");
}

}  // namespace

std::vector<std::string> SharedWorkload::command(Kind kind, const std::string& key,
                                                 const std::string& word, Rng& rng) const {
  switch (kind) {
    case Kind::kCount:
      return {"INCR", key};
    case Kind::kAppend:
      return {"APPEND", key, word + ","};
    case Kind::kFirst:
      return {"SET", key, word, "NX"};
    case Kind::kSet:
      return {"SET", key, word};
    case Kind::kMixed:
    case Kind::kKinds:
      break;
  }
  if (rng.chance(0.6)) return {"INCR", key};
  if (rng.chance(0.6)) return {"SET", key, "1"};
  return {"DEL", key};
}

void SharedWorkload::step(size_t index) {
  Rng& rng = client(index).rng();
  const auto kind = static_cast<Kind>(rng.below(static_cast<uint64_t>(Kind::kKinds)));
  // A first write is only once; and what is appended to does not grow for ever.
  const bool gives_way = kind == Kind::kFirst || kind == Kind::kAppend;
  const std::string key = fmt::format(
      "{}:{}:{}:{}", name_, static_cast<int>(kind), rng.below(cluster_.swarm.keys_per_workload),
      gives_way ? next_word_ / (kind == Kind::kFirst ? 12 : kWordsMax) : 0);
  const std::string word = fmt::format("w{}", next_word_++);
  stories_[key].kind = kind;
  const bool reads = rng.chance(kReadChance);
  const std::vector<std::string> words =
      reads ? std::vector<std::string>{"GET", key} : command(kind, key, word, rng);
  client(index).call(words, [this, index, key, word, words, reads](const RespReply* reply) {
    if (reply && tells_of_siblings(*reply)) {
      violation(fmt::format("{} answered siblings: {}", join_words(words, ' '), reply->text));
    }
    if (reply && reply->is_error() && cluster_.swarm.only_restarts()) {
      violation(fmt::format("{} beside nodes that only restart: {}", join_words(words, ' '),
                            reply->text));
    }
    if (!reads) note(key, word, reply);
    next(index);
  });
}

void SharedWorkload::note(const std::string& key, const std::string& word, const RespReply* reply) {
  Story& story = stories_[key];
  const Fate fate = fate_of(reply);
  if (fate == Fate::kNever) return;
  if (fate == Fate::kMaybe) {
    ++story.uncertain;
    story.maybe.insert(word);
    return;
  }
  if (story.kind == Kind::kFirst && reply->kind == RespReply::Kind::kNull) return;
  const std::string what = story.kind == Kind::kCount ? std::to_string(reply->number) : word;
  if (story.stored.insert(what).second || story.kind != Kind::kCount) return;
  violation(fmt::format("two INCRs of {} answered {}", key, what));
}

std::vector<KeyName> SharedWorkload::keys() const {
  std::vector<KeyName> names;
  for (const auto& [key, story] : stories_) names.push_back({db_, key});
  return names;
}

void SharedWorkload::check_appended(const std::string& key, const Story& story,
                                    const std::string& value) {
  std::multiset<std::string> present;
  for (size_t begin = 0; begin < value.size();) {
    const size_t end = std::min(value.find(',', begin), value.size());
    present.insert(value.substr(begin, end - begin));
    begin = end + 1;
  }
  for (const std::string& word : story.stored) {
    if (present.count(word) == 1) continue;
    violation(
        fmt::format("{} was appended to {} and is there {} times", word, key, present.count(word)));
  }
  for (const std::string& word : present) {
    if (!story.stored.contains(word) && !story.maybe.contains(word)) {
      violation(fmt::format("{} is in {}, and nobody was told so", word, key));
    }
  }
}

void SharedWorkload::check_key(const std::string& key, const Story& story,
                               const std::vector<std::string>& values) {
  if (values.size() > 1) {
    violation(fmt::format("{} has siblings in the end: {}", key, join_words(values, ' ')));
    return;
  }
  const std::string value = values.empty() ? "" : values[0];
  const auto stored = static_cast<int64_t>(story.stored.size());
  switch (story.kind) {
    case Kind::kCount: {
      const int64_t count = value.empty() ? 0 : std::stoll(value);
      if (count >= stored && count <= stored + story.uncertain) return;
      violation(fmt::format("{} is {}: {} were acknowledged, {} uncertain", key, count, stored,
                            story.uncertain));
      return;
    }
    case Kind::kAppend:
      return check_appended(key, story, value);
    case Kind::kFirst:
      if (stored > 1) violation(fmt::format("{} SETNX of {} won", stored, key));
      if (stored == 1 && value != *story.stored.begin()) {
        violation(fmt::format("{} is {}, and {} won", key, value, *story.stored.begin()));
      }
      return;
    case Kind::kSet:
      if (stored == 0 || story.stored.contains(value) || story.maybe.contains(value)) return;
      violation(fmt::format("{} is {}, which nobody set", key, value));
      return;
    case Kind::kMixed:
    case Kind::kKinds:
      return;
  }
}

void SharedWorkload::check(const FinalState& state) {
  for (const auto& [key, story] : stories_) {
    check_key(key, story, state.at({db_, key}));
    for (size_t node = 0; node < cluster_.nodes.size(); ++node) {
      if (cluster_.own_values(node, db_, key).size() < 2) continue;
      violation(fmt::format("{} holds siblings of {}", cluster_.node_name(node), key));
    }
  }
}

}  // namespace kvorum::sim
