// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/history.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/keys_that_differ.h"

namespace kvorum::cluster {
namespace {

constexpr uint32_t kMagic = 0x3148564b;  // "KVH1", of version 1
constexpr ChangeList kNoChanges;
const std::set<Fact> kNoFacts;

size_t admitted(const std::vector<Change>& changes) {
  return static_cast<size_t>(std::count_if(changes.begin(), changes.end(),
                                           [](const Change& change) { return change.admits(); }));
}

// Calls fn(set) for each set that the fact names.
template <class Fn>
bool all_sets(const Fact& fact, Fn fn) {
  if (fact.kind == FactKind::kGone) return true;
  return fn(fact.set) && std::all_of(fact.from.begin(), fact.from.end(), fn);
}

// Facts as they are written, and the sets that they name.
struct WrittenFacts {
  void put(const Fact& fact) {
    encode_element(fact, bytes);
    all_sets(fact, [&](SetId set) { return sets.insert(set), true; });
  }

  std::string bytes;
  std::set<SetId> sets;
};

}  // namespace

History::History(Founding founding)
    : cluster_id_(founding_cluster_id(founding)), newest_(cluster_id_) {
  set_founding(std::move(founding));
}

void History::set_founding(Founding founding) {
  KVORUM_CHECK(founding_cluster_id(founding) == cluster_id_);
  founding_ = std::move(founding);
  founding_hash_ = cluster::founding_hash(founding_);
}

const std::set<Fact>& History::facts_of(uint32_t partition) const {
  const auto found = facts_.find(partition);
  return found == facts_.end() ? kNoFacts : *found->second;
}

std::vector<uint32_t> History::other_facts(const History& other) const {
  return keys_that_differ(
      facts_, other.facts_, [](const auto& item) { return item.first; },
      [](const auto& own, const auto& theirs) { return own.second == theirs.second; });
}

bool History::add(const Change& change) {
  HistoryElements elements;
  elements.changes.push_back(change);
  if (!has_room_for(elements.changes)) return false;
  const uint64_t before = digest();
  put_change(change);
  find_newest();
  return digest() != before;
}

// Nobody makes two changes with one id; where a disk forgot one, all keep the same of the two.
void History::put_change(const Change& change) {
  const auto [at, is_new] = changes_.try_emplace(change.id, change);
  if (is_new) {
    // The founding says nothing that the file does not, until there is a first change.
    if (changes_.size() == 1) count(founding_hash_);
    count(change.hash());
  } else if (change.hash() < at->second.hash()) {
    count(at->second.hash());
    count(change.hash());
    at->second = change;
  }
}

void History::find_newest() {
  if (all_changes_.size() == changes_.size()) return;
  all_changes_.clear();
  for (const auto& [id, change] : changes_) all_changes_.push_back(id);
  newest_ = set_id(cluster_id_, all_changes_);
}

// Nodes whose files differ in weights, places or policies: all go by one of them, and by that of
// who brings changes.
void History::take_founding(const Founding& founding) {
  const uint64_t hash = cluster::founding_hash(founding);
  if (hash == founding_hash_ || (!changes_.empty() && hash > founding_hash_)) return;
  if (!changes_.empty()) {
    count(founding_hash_);
    count(hash);
  }
  set_founding(founding);
}

const ChangeList* History::find_set(SetId id) const {
  if (id == cluster_id_) return &kNoChanges;
  if (id == newest_) return &all_changes_;
  const auto found = named_.find(id);
  return found == named_.end() ? nullptr : &found->second.changes;
}

bool History::is_within(SetId inner, SetId outer) const {
  const ChangeList* const less = find_set(inner);
  const ChangeList* const more = find_set(outer);
  KVORUM_CHECK(less != nullptr && more != nullptr);
  return less->size() < more->size() &&
         std::includes(more->begin(), more->end(), less->begin(), less->end());
}

std::vector<SetId> History::named_sets() const {
  std::vector<SetId> sets;
  for (const auto& [id, named] : named_) sets.push_back(id);
  return sets;
}

bool History::add(const Fact& fact) {
  if (fact.partition >= founding_.partitions) return false;
  if (!all_sets(fact, [&](SetId set) { return knows(set); })) return false;
  const bool is_new = put_fact(fact);
  drop_unnamed();
  return is_new;
}

bool History::put_fact(const Fact& fact) {
  if (fact.kind == FactKind::kGone) {
    if (!gone_.insert(fact.node).second) return false;
    count(fact.hash());
    return true;
  }
  if (is_pointless(fact) || facts_of(fact.partition).contains(fact)) return false;
  auto known = std::make_shared<std::set<Fact>>(facts_of(fact.partition));
  known->insert(fact);
  facts_[fact.partition] = std::move(known);
  count(fact.hash());
  name_sets_of(fact);
  if (fact.kind == FactKind::kSettled) forget_below(fact);
  return true;
}

// A settled set says more than this fact. What was lost stays stated.
bool History::is_pointless(const Fact& fact) const {
  if (fact.kind == FactKind::kLost) return false;
  const std::set<Fact>& known = facts_of(fact.partition);
  return std::any_of(known.begin(), known.end(), [&](const Fact& settled) {
    if (settled.kind != FactKind::kSettled) return false;
    const bool same = fact.set == settled.set && fact.kind != FactKind::kSettled;
    return same || is_within(fact.set, settled.set);
  });
}

void History::forget_below(const Fact& settled) {
  std::set<Fact> known = facts_of(settled.partition);
  for (auto at = known.begin(); at != known.end();) {
    if (!is_pointless(*at)) {
      ++at;
      continue;
    }
    count(at->hash());
    const Fact forgotten = *at;
    at = known.erase(at);
    leave_sets_of(forgotten);
  }
  KVORUM_CHECK(!known.empty());  // a settled set is not within itself
  facts_[settled.partition] = std::make_shared<const std::set<Fact>>(std::move(known));
}

void History::name_sets_of(const Fact& fact) {
  all_sets(fact, [&](SetId set) {
    const ChangeList* const changes = find_set(set);
    KVORUM_CHECK(changes != nullptr);
    if (set == cluster_id_) return true;
    const auto [at, is_new] = named_.try_emplace(set);
    if (is_new) at->second.changes = *changes;
    ++at->second.facts;
    return true;
  });
}

void History::leave_sets_of(const Fact& fact) {
  all_sets(fact, [&](SetId set) {
    const auto at = named_.find(set);
    if (at != named_.end()) --at->second.facts;
    return true;
  });
}

// Not before all facts are in: a fact that is yet to come may name the set.
void History::drop_unnamed() {
  std::erase_if(named_, [](const auto& item) { return item.second.facts == 0; });
}

bool History::has_room_for(const std::vector<Change>& changes) const {
  std::vector<Change> more;
  for (const Change& change : changes) {
    const auto known = changes_.find(change.id);
    if (known == changes_.end() || !known->second.admits()) more.push_back(change);
  }
  if (changes_.size() + more.size() > kChangesMax) return false;
  size_t members = founding_.members.size() + admitted(more);
  for (const auto& [id, change] : changes_) members += change.admits() ? 1 : 0;
  return members <= kAdmittedMax;
}

bool History::is_whole(const HistoryElements& elements) const {
  if (elements.founding && founding_cluster_id(*elements.founding) != cluster_id_) return false;
  if (!elements.changes.empty() && changes_.empty() && !elements.founding) return false;
  std::set<ChangeId> changes;
  for (const Change& change : elements.changes) changes.insert(change.id);
  const auto has_change = [&](const ChangeId& id) {
    return changes_.contains(id) || changes.contains(id);
  };
  std::set<SetId> sets;
  for (const ChangeList& list : elements.sets) {
    if (!std::all_of(list.begin(), list.end(), has_change)) return false;
    sets.insert(set_id(cluster_id_, list));
  }
  const auto has_set = [&](SetId set) { return knows(set) || sets.contains(set); };
  return std::all_of(elements.facts.begin(), elements.facts.end(), [&](const Fact& fact) {
    return fact.partition < founding_.partitions && all_sets(fact, has_set);
  });
}

std::optional<bool> History::take_in(const HistoryElements& elements) {
  if (!is_whole(elements) || !has_room_for(elements.changes)) return std::nullopt;
  const uint64_t before = digest();
  // The present newest may be named by what comes, and is another one afterwards.
  for (const ChangeList& list : elements.sets) {
    named_.try_emplace(set_id(cluster_id_, list), NamedSet{list, 0});
  }
  if (!all_changes_.empty()) named_.try_emplace(newest_, NamedSet{all_changes_, 0});
  const bool has_changes = !changes_.empty() || !elements.changes.empty();
  if (elements.founding && has_changes) take_founding(*elements.founding);
  for (const Change& change : elements.changes) put_change(change);
  find_newest();
  for (const Fact& fact : elements.facts) put_fact(fact);
  drop_unnamed();
  return digest() != before;
}

bool History::merge(const History& other) {
  KVORUM_CHECK(other.cluster_id_ == cluster_id_);
  HistoryElements elements;
  if (!other.changes_.empty()) elements.founding = other.founding_;
  for (const auto& [id, change] : other.changes_) elements.changes.push_back(change);
  for (const auto& [id, named] : other.named_) elements.sets.push_back(named.changes);
  for (const NodeId node : other.gone_) elements.facts.push_back(Fact::gone(node));
  for (const auto& [partition, facts] : other.facts_) {
    elements.facts.insert(elements.facts.end(), facts->begin(), facts->end());
  }
  return take_in(elements).value_or(false);
}

uint64_t History::digest() const {
  return std::accumulate(buckets_.begin(), buckets_.end(), uint64_t{0}, std::bit_xor<>());
}

std::string History::encode_chosen(const std::array<bool, kBuckets>& chosen) const {
  const auto is_chosen = [&](uint64_t hash) { return chosen[bucket_of(hash)]; };
  std::string changes;
  WrittenFacts facts;
  if (!changes_.empty() && is_chosen(founding_hash_)) encode_element(founding_, changes);
  for (const auto& [id, change] : changes_) {
    if (is_chosen(change.hash())) encode_element(change, changes);
  }
  const auto put = [&](const Fact& fact) {
    if (is_chosen(fact.hash())) facts.put(fact);
  };
  for (const NodeId node : gone_) put(Fact::gone(node));
  for (const auto& [partition, known] : facts_) std::for_each(known->begin(), known->end(), put);
  encode_sets(facts.sets, changes);
  return changes + facts.bytes;
}

void History::encode_sets(const std::set<SetId>& sets, std::string& out) const {
  for (const SetId set : sets) {
    if (set != cluster_id_) encode_element(named_.at(set).changes, out);
  }
}

std::string History::encode_since(const History& before) const {
  KVORUM_CHECK(before.cluster_id_ == cluster_id_);
  std::string changes;
  WrittenFacts facts;
  const bool founding_is_new = before.changes_.empty() || before.founding_hash_ != founding_hash_;
  if (!changes_.empty() && founding_is_new) encode_element(founding_, changes);
  for (const auto& [id, change] : changes_) {
    const auto known = before.changes_.find(id);
    if (known == before.changes_.end() || known->second.hash() != change.hash()) {
      encode_element(change, changes);
    }
  }
  for (const NodeId node : gone_) {
    if (!before.is_gone(node)) facts.put(Fact::gone(node));
  }
  for (const uint32_t partition : other_facts(before)) {
    const std::set<Fact>& known = before.facts_of(partition);
    for (const Fact& fact : facts_of(partition)) {
      if (!known.contains(fact)) facts.put(fact);
    }
  }
  encode_sets(facts.sets, changes);
  return changes + facts.bytes;
}

void History::encode(std::string& out) const {
  std::array<bool, kBuckets> all;
  all.fill(true);
  std::string body;
  if (changes_.empty()) encode_element(founding_, body);
  body += encode_chosen(all);
  put_u32(out, kMagic);
  put_u64(out, xxh64(body));
  out += body;
}

std::optional<History> History::decode(std::string_view bytes) {
  ByteReader head(bytes);
  const bool is_known = head.u32() == kMagic;
  const uint64_t checksum = head.u64();
  if (!head.ok() || !is_known || checksum != xxh64(head.rest())) return std::nullopt;
  HistoryElements elements;
  if (!decode_elements(head.rest(), &elements) || !elements.founding) return std::nullopt;
  History history(*elements.founding);
  if (!history.take_in(elements)) return std::nullopt;
  return history;
}

}  // namespace kvorum::cluster
