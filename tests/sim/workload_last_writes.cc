// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/workloads.h"

namespace kvorum::sim {
namespace {

constexpr double kBlindChance = 0.2;
constexpr double kDeleteChance = 0.2;
constexpr double kPlainDeleteChance = 0.15;  // where keys are evicted

}  // namespace

void LastWriteWorkload::step(size_t index) {
  Rng& rng = client(index).rng();
  const std::string key = fmt::format("{}:{}", name_, rng.below(cluster_.swarm.keys_per_workload));
  if (may_be_evicted() && rng.chance(kPlainDeleteChance)) return remove(index, key);
  if (rng.chance(kBlindChance)) return write(index, key, nullptr);
  const uint64_t began_us = now_us();
  client(index).call({"KV.GET", key}, [this, index, key, began_us](const RespReply* reply) {
    if (!reply || reply->items.size() != 2) {
      (void)fate_of(reply);
      return next(index);
    }
    check_read(key, began_us, *reply);
    write(index, key, reply);
  });
}

void LastWriteWorkload::write(size_t index, const std::string& key, const RespReply* read) {
  const size_t number = writes_.size();
  Write& write = writes_.emplace_back();
  write.key = key;
  write.began_us = now_us();
  const auto done = [this, index, number](const RespReply* reply) {
    note_written(index, number, reply);
  };
  if (!read) {
    write.value = fmt::format("blind-{}", number);
    return client(index).call({"SET", key, write.value}, done);
  }
  for (const RespReply& value : read->items[1].items) note_past(write, value.text);
  const std::string& token = read->items[0].text;
  if (!write.past.empty() && client(index).rng().chance(kDeleteChance)) {
    return client(index).follow_up({"KV.DEL", key, token}, done);
  }
  write.value = fmt::format("value-{}", number);
  client(index).follow_up({"KV.PUT", key, token, write.value}, done);
}

// DEL, of what may have been evicted by whom it asks. Whatever it answers: what it must have read
// lies in its past.
void LastWriteWorkload::remove(size_t index, const std::string& key) {
  const size_t number = writes_.size();
  Write& write = writes_.emplace_back();
  write.key = key;
  write.began_us = now_us();
  client(index).call({"DEL", key}, [this, index, number](const RespReply* reply) {
    std::set<std::string> past;
    for (const Write& other : writes_) {
      const bool before = other.ended_us != 0 && other.ended_us < writes_[number].began_us;
      if (other.key != writes_[number].key || !before) continue;
      if (must_be_read(other.copies, other.began_us)) past.insert(other.value);
    }
    past.erase("");
    writes_[number].past = past;
    note_written(index, number, reply);
  });
}

// All that is read, and whatever its writer had read, lies in the past of a write.
void LastWriteWorkload::note_past(Write& write, const std::string& value) {
  write.past.insert(value);
  for (const Write& other : writes_) {
    if (other.value == value) write.past.insert(other.past.begin(), other.past.end());
  }
}

void LastWriteWorkload::note_written(size_t index, size_t number, const RespReply* reply) {
  writes_[number].fate = fate_of(reply);
  if (writes_[number].fate != Fate::kStored) return next(index);
  writes_[number].ended_us = now_us();
  const std::optional<cluster::Context> context = context_of(reply->text);
  if (context && !context->detached.empty()) {
    writes_[number].dot = context->detached[context->detached.size() - 1].hlc;
  }
  ask_copies(index, [this, index, number](const Copies& copies) {
    writes_[number].copies = copies;
    next(index);
  });
}

void LastWriteWorkload::check_read(const std::string& key, uint64_t began_us,
                                   const RespReply& read) {
  const std::vector<RespReply>& values = read.items[1].items;
  if (values.size() > 1) violation(fmt::format("a read of {} gave {} values", key, values.size()));
  if (values.empty()) return;
  const auto shown = std::find_if(writes_.begin(), writes_.end(), [&](const Write& write) {
    return write.key == key && write.value == values[0].text;
  });
  if (shown == writes_.end()) {
    violation(fmt::format("a read of {} gave {}, which nobody wrote", key, values[0].text));
    return;
  }
  for (const Write& write : writes_) {
    if (write.key != key || write.ended_us == 0 || write.ended_us >= began_us) continue;
    const bool over = shown->ended_us != 0 && shown->ended_us < write.began_us;
    const bool strictly = is_strict() && over && write.past.contains(shown->value);
    const bool surely = may_be_evicted() && must_be_read(write.copies, write.began_us);
    if (!strictly && !(surely && excludes(write, *shown))) continue;
    violation(fmt::format(
        "a read of {} that began at {} gave {}@{:x} of {} to {} us, replaced before by {}@{:x} "
        "of {} to {} us",
        key, began_us, shown->value, shown->dot.value, shown->began_us, shown->ended_us,
        write.value.empty() ? "a delete" : write.value, write.dot.value, write.began_us,
        write.ended_us));
  }
}

std::vector<KeyName> LastWriteWorkload::keys() const {
  std::set<KeyName> names;
  for (const Write& write : writes_) names.insert({db_, write.key});
  return {names.begin(), names.end()};
}

// Whether `last` cannot have the last word although that other write survived, whose writer knew it
// or whose dot is newer. One that was run twice may come up again, under its second dot.
bool LastWriteWorkload::excludes(const Write& other, const Write& last) {
  if (!last.copies.ran_once) return false;
  // A blind write that is under way while it is read may yet be written once more.
  const bool over = last.ended_us != 0 && last.ended_us < other.began_us;
  const bool known = over && !last.value.empty() && other.past.contains(last.value);
  return known || (last.dot.value != 0 && other.dot > last.dot);
}

void LastWriteWorkload::check_key(const std::string& key, const std::vector<std::string>& values) {
  std::vector<const Write*> possible, kept;
  for (const Write& write : writes_) {
    if (write.key != key || write.fate == Fate::kNever) continue;
    possible.push_back(&write);
    const bool survives =
        write.fate == Fate::kStored && cluster_.damage.must_survive(write.copies, write.began_us);
    if (survives) kept.push_back(&write);
  }
  const std::string value = values.empty() ? "" : values[0];
  std::string excluding;
  bool explained = values.empty() && (kept.empty() || may_be_evicted());
  for (const Write* write : possible) {
    if (values.size() > 1 || write->value != value) continue;
    const auto other = std::find_if(kept.begin(), kept.end(),
                                    [&](const Write* one) { return excludes(*one, *write); });
    explained |= other == kept.end();
    if (other == kept.end()) break;
    excluding +=
        fmt::format(" {}@{:x}, which knew it or is newer",
                    (*other)->value.empty() ? "gone" : (*other)->value, (*other)->dot.value);
  }
  if (explained) return;
  violation(fmt::format("{} is [{}], although there was{}", key, join_words(values, ' '),
                        excluding.empty() ? " an acknowledged write and no delete" : excluding));
}

void LastWriteWorkload::check(const FinalState& state) {
  for (const KeyName& name : keys()) check_key(name.key, state.at(name));
}

}  // namespace kvorum::sim
