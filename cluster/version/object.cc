// SPDX-License-Identifier: Apache-2.0
#include "cluster/version/object.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "base/planted_bug.h"

namespace kvorum::cluster {
namespace {

using Versions = InlineVector<Version, 1>;

const Version* find_in(const Versions& versions, const Dot& dot) {
  for (const Version& version : versions) {
    if (version.dot == dot) return &version;
  }
  return nullptr;
}

template <class Predicate>
bool any_held(const Object& object, Predicate predicate) {
  return std::any_of(object.versions.begin(), object.versions.end(), predicate) ||
         std::any_of(object.outvoted.begin(), object.outvoted.end(), predicate);
}

template <class Predicate>
void erase_if(Versions& versions, Predicate predicate) {
  for (size_t at = versions.size(); at-- > 0;) {
    if (predicate(versions[at])) versions.erase_at(at);
  }
}

// Keeps of `from` what `other` either holds too or never heard of, and appends it to `out`. A
// version that one side already emptied because its deadline passed is empty in the merged object.
void keep_unseen(const Versions& from, const Object& other, Versions& out) {
  for (const Version& version : from) {
    const Version* twin = other.find_held(version.dot);
    if (twin) {
      out.push_back(twin->type == TypeTag::kTombstone ? *twin : version);
    } else if (!other.vector.covers(version.dot)) {
      out.push_back(version);
    }
  }
}

void insert_version(Versions& versions, const Version& version) {
  versions.push_back(version);
  for (size_t at = versions.size() - 1; at > 0; --at) {
    if (!newer(versions[at].dot, versions[at - 1].dot)) {
      KVORUM_DEBUG_CHECK(versions[at].dot != versions[at - 1].dot);  // each stands once
      return;
    }
    std::swap(versions[at], versions[at - 1]);
  }
}

bool in_canonical_order(const Versions& versions) {
  for (size_t at = 1; at < versions.size(); ++at) {
    if (!newer(versions[at - 1].dot, versions[at].dot)) return false;
  }
  return true;
}

constexpr size_t kSpentMax = 64;

bool no_twin_comes(Hlc since, Hlc frontier) { return since.ms() + kTwinsWithinMs < frontier.ms(); }
bool no_twin_comes(const SpentOrigin& spent, Hlc frontier) {
  return no_twin_comes(spent.replaced, frontier);
}

// Everything that the object knows of.
bool lies_below(const Object& object, Hlc frontier) {
  return std::all_of(object.spent.begin(), object.spent.end(),
                     [&](const SpentOrigin& spent) { return no_twin_comes(spent, frontier); }) &&
         std::all_of(object.vector.begin(), object.vector.end(),
                     [&](const VectorEntry& entry) { return entry.hlc < frontier; });
}

void spend(InlineVector<SpentOrigin, 1>& spent, const SpentOrigin& added) {
  KVORUM_CHECK(added.origin != 0);  // find_spent() looks for no other
  for (SpentOrigin& known : spent) {
    if (known.origin != added.origin) continue;
    known.replaced = std::max(known.replaced, added.replaced);
    if (newer(added.dot, known.dot)) known.dot = added.dot;
    return;
  }
  spent.push_back(added);
  for (size_t at = spent.size() - 1; at > 0; --at) {
    if (spent[at - 1].origin < spent[at].origin) return;
    std::swap(spent[at - 1], spent[at]);
  }
}

void drop_spent_versions(Object& object) {
  if (object.spent.empty()) return;
  const auto is_spent = [&](const Version& version) {
    return object.find_spent(version.origin) != nullptr;
  };
  erase_if(object.versions, is_spent);
  erase_if(object.outvoted, is_spent);
}

// The outvoted versions of two copies, by the rule of siblings.
void merge_outvoted(const Object& a, const Object& b, Object& merged) {
  Versions kept;
  keep_unseen(a.outvoted, b, kept);
  keep_unseen(b.outvoted, a, kept);
  for (const Version& version : kept) {
    if (!find_in(merged.outvoted, version.dot)) insert_version(merged.outvoted, version);
  }
  erase_if(merged.versions, [&](const Version& version) {
    return find_in(merged.outvoted, version.dot) != nullptr;
  });
}

void limit_outvoted(Object& object) {
  while (object.outvoted.size() > kOutvotedMax) object.outvoted.pop_back();
}

// A limit, not a rule: past it the earliest ones go.
void limit_spent(InlineVector<SpentOrigin, 1>& spent) {
  while (spent.size() > kSpentMax) {
    size_t earliest = 0;
    for (size_t at = 1; at < spent.size(); ++at) {
      if (spent[at].replaced < spent[earliest].replaced) earliest = at;
    }
    spent.erase_at(earliest);
  }
}

// The usual write at a replica: one version comes, which replaces the one that is here. Their merge
// is `fresh` as it is.
bool replaces_all_of(const Object& fresh, const Object& old) {
  if (fresh.versions.size() != 1 || old.versions.size() > 1) return false;
  if (!old.spent.empty() || !fresh.spent.empty()) return false;
  if (!old.outvoted.empty() || !fresh.outvoted.empty()) return false;
  // So the two versions differ as well.
  if (old.vector.covers(fresh.versions[0].dot)) return false;
  return fresh.vector.covers_all(old.vector);
}

// The usual write at its coordinator: of what is here nothing stays.
bool replaces_the_one_of(const Object& object, const Context& context) {
  return object.versions.size() == 1 && object.outvoted.empty() && !object.versions[0].retried &&
         context.covers(object.versions[0].dot) && !planted(PlantedBug::kForgetContext);
}

bool names_version_of(const Object& object, const Actor& actor) {
  return any_held(object, [&](const Version& version) { return version.dot.actor == actor; });
}

bool has_tombstone(const Object& object) {
  return any_held(object,
                  [](const Version& version) { return version.type == TypeTag::kTombstone; });
}

// The origins of what the context covers of versions that may have twins. One that finds its twin
// is of a retried request too, and spends nothing.
void spend_covered(Object& object, const Context& context, Version& added) {
  const auto look_at = [&](const Version& old) {
    if (!context.covers(old.dot) || old.origin == 0 || !may_have_twins(object, old.origin)) return;
    if (old.origin == added.origin) {
      added.retried = true;
    } else {
      spend(object.spent, {old.origin, old.dot, added.dot.hlc});
    }
  };
  for (const Version& old : object.versions) look_at(old);
  for (const Version& old : object.outvoted) look_at(old);
  limit_spent(object.spent);
}

// The version comes in place of those that the context covers.
void replace_covered(Object& object, const Context& context, const Version& version) {
  if (replaces_the_one_of(object, context)) {
    object.versions[0] = version;
    return;
  }
  Versions kept;
  Version added = version;
  // Rare: a request is only retried when a coordinator was silent.
  const bool twins = any_held(object, [](const Version& old) { return old.retried; });
  if (twins) spend_covered(object, context, added);
  const auto goes = [&](const Version& old) {
    const bool stays = old.retried && old.origin == added.origin;
    return context.covers(old.dot) && !stays && !planted(PlantedBug::kForgetContext);
  };
  for (const Version& old : object.versions) {
    if (!goes(old)) kept.push_back(old);
  }
  erase_if(object.outvoted, goes);
  insert_version(kept, added);
  object.versions = std::move(kept);
  if (twins) drop_spent_versions(object);
  show_outvoted(object);
}

bool outlasts(uint64_t deadline_a, uint64_t deadline_b) {
  return deadline_b != 0 && (deadline_a == 0 || deadline_a > deadline_b);
}

}  // namespace

bool newer(const Dot& a, const Dot& b) {
  if (a.hlc != b.hlc) return a.hlc > b.hlc;
  return a.actor > b.actor;
}

const VectorEntry* VersionVector::find(const Actor& actor) const {
  for (const VectorEntry& entry : entries_) {
    if (entry.actor == actor) return &entry;
  }
  return nullptr;
}

bool VersionVector::covers(const Dot& dot) const {
  const VectorEntry* entry = find(dot.actor);
  return entry && entry->hlc >= dot.hlc;
}

bool VersionVector::covers_all(const VersionVector& other) const {
  for (const VectorEntry& entry : other) {
    if (!covers(Dot{entry.actor, entry.hlc})) return false;
  }
  return true;
}

void VersionVector::raise(const Actor& actor, Hlc hlc) {
  if (entries_.empty() || entries_.back().actor < actor) {  // as when decoding: in order
    entries_.push_back({actor, hlc});
    return;
  }
  for (VectorEntry& entry : entries_) {
    if (entry.actor == actor) {
      entry.hlc = std::max(entry.hlc, hlc);
      return;
    }
  }
  entries_.push_back({actor, hlc});
  for (size_t at = entries_.size() - 1; at > 0; --at) {
    if (entries_[at - 1].actor < entries_[at].actor) return;
    std::swap(entries_[at], entries_[at - 1]);
  }
}

void VersionVector::join(const VersionVector& other) {
  for (const VectorEntry& entry : other) raise(entry.actor, entry.hlc);
}

bool VersionVector::operator==(const VersionVector& other) const {
  return size() == other.size() &&
         std::equal(begin(), end(), other.begin(), [](const VectorEntry& a, const VectorEntry& b) {
           return a.actor == b.actor && a.hlc == b.hlc;
         });
}

const Version* Object::find(const Dot& dot) const { return find_in(versions, dot); }

const Version* Object::find_held(const Dot& dot) const {
  const Version* found = find_in(versions, dot);
  return found != nullptr ? found : find_in(outvoted, dot);
}

const SpentOrigin* Object::find_spent(uint64_t origin) const {
  for (const SpentOrigin& known : spent) {
    if (known.origin == origin) return &known;  // never 0
  }
  return nullptr;
}

bool Context::covers(const Dot& dot) const {
  return vector.covers(dot) || std::find(detached.begin(), detached.end(), dot) != detached.end();
}

void update(Object& object, const Context& context, const Version& version) {
  KVORUM_DEBUG_CHECK(object.find_spent(version.origin) == nullptr);  // else it would go at once
  replace_covered(object, context, version);
  object.vector.join(context.vector);
  object.vector.raise(version.dot.actor, version.dot.hlc);
}

Object merge(const Object& a, const Object& b) {
  if (replaces_all_of(b, a)) return b;
  Versions kept_a;
  Versions kept_b;
  keep_unseen(a.versions, b, kept_a);
  keep_unseen(b.versions, a, kept_b);
  Object merged;
  merged.vector = a.vector;
  merged.vector.join(b.vector);
  merged.versions = std::move(kept_a);
  for (const Version& version : kept_b) {
    if (!merged.find(version.dot)) insert_version(merged.versions, version);
  }
  merged.spent = a.spent;
  for (const SpentOrigin& spent : b.spent) spend(merged.spent, spent);
  const bool any_outvoted = !a.outvoted.empty() || !b.outvoted.empty();
  if (any_outvoted) merge_outvoted(a, b, merged);
  drop_spent_versions(merged);
  if (any_outvoted) {
    show_outvoted(merged);
    limit_outvoted(merged);
    // One that is there was outvoted by a version that is here; keep_newest() relies on it.
    KVORUM_CHECK(!merged.versions.empty() || merged.outvoted.empty());
  }
  if (planted(PlantedBug::kForgetSibling) && merged.versions.size() > 1) {
    merged.versions.erase_at(merged.versions.size() - 1);
  }
  return merged;
}

size_t keep_newest(Object& object, Hlc frontier) {
  if (object.versions.size() <= 1 && object.outvoted.empty()) return 0;
  show_outvoted(object);
  size_t newly = 0;
  while (object.versions.size() > 1) {
    newly += object.versions.back().dot.hlc >= frontier;
    insert_version(object.outvoted, object.versions.back());
    object.versions.pop_back();
  }
  KVORUM_CHECK(!object.versions.empty());  // what is outvoted is so by one of these
  if (object.versions[0].dot.hlc < frontier) object.outvoted.clear();
  limit_outvoted(object);
  return newly;
}

void show_outvoted(Object& object) {
  if (object.outvoted.empty()) return;
  const Version first = object.outvoted[0];
  if (!object.versions.empty() && newer(object.versions[0].dot, first.dot)) return;
  object.outvoted.erase_at(0);
  insert_version(object.versions, first);
}

size_t truncate_vector(Object& object, size_t entries_max, const Object& before, Hlc frontier) {
  if (object.vector.size() <= entries_max) return 0;
  const bool settled = std::all_of(before.vector.begin(), before.vector.end(),
                                   [&](const VectorEntry& entry) { return entry.hlc < frontier; });
  if (!settled && has_tombstone(object)) return 0;
  size_t cut = 0;
  while (object.vector.size() > entries_max) {
    size_t oldest = object.vector.size();
    for (size_t at = 0; at < object.vector.size(); ++at) {
      const VectorEntry& entry = object.vector.begin()[at];
      if (names_version_of(object, entry.actor) || names_version_of(before, entry.actor)) continue;
      if (oldest == object.vector.size() || entry.hlc < object.vector.begin()[oldest].hlc) {
        oldest = at;
      }
    }
    if (oldest == object.vector.size()) break;
    object.vector.erase_at(oldest);
    ++cut;
  }
  return cut;
}

size_t drop_dead(Object& object, const Object& complete, Hlc frontier,
                 InlineVector<Version, 1>* dead) {
  const auto is_dead = [&](const Version& version) {
    return version.dot.hlc < frontier && !complete.vector.covers(version.dot);
  };
  erase_if(object.outvoted, is_dead);
  Versions kept;
  size_t dropped = 0;
  for (const Version& version : object.versions) {
    if (!is_dead(version)) {
      kept.push_back(version);
      continue;
    }
    ++dropped;
    if (dead != nullptr) dead->push_back(version);
  }
  if (dropped == 0) return 0;
  object.versions = std::move(kept);
  show_outvoted(object);
  if (object.versions.empty() && reapable(object, frontier)) object = {};
  return dropped;
}

Object merge_copies(const Copy& a, const Copy& b) {
  Object left = a.object;
  Object right = b.object;
  drop_dead(left, b.object, b.frontier);
  drop_dead(right, a.object, a.frontier);
  return merge(left, right);
}

bool forget_spent(Object& object, Hlc frontier) {
  const size_t before = object.spent.size();
  for (size_t at = before; at-- > 0;) {
    if (no_twin_comes(object.spent[at], frontier)) object.spent.erase_at(at);
  }
  return object.spent.size() != before;
}

bool reapable(const Object& object, Hlc frontier) {
  return lies_below(object, frontier) &&
         std::all_of(object.versions.begin(), object.versions.end(), [&](const Version& version) {
           return version.type == TypeTag::kTombstone &&
                  (version.deadline_ms == 0 || version.deadline_ms < frontier.ms());
         });
}

bool evictable(const Object& object, Hlc frontier) {
  return lies_below(object, frontier) && !any_held(object, [&](const Version& version) {
           return version.dot.hlc >= frontier ||
                  (version.retried && !no_twin_comes(version.dot.hlc, frontier));
         });
}

uint64_t oldest_above(const Object& object, Hlc frontier) {
  uint64_t oldest = ~uint64_t{0};
  const auto look_at = [&](const Version& version) {
    if (version.dot.hlc >= frontier) oldest = std::min(oldest, version.dot.hlc.value);
  };
  for (const Version& version : object.versions) look_at(version);
  for (const Version& version : object.outvoted) look_at(version);
  return oldest;
}

bool has_retried_twin(const Object& object, const Version& version) {
  return version.origin != 0 &&
         std::any_of(object.versions.begin(), object.versions.end(), [&](const Version& other) {
           return other.retried && other.origin == version.origin && !(other.dot == version.dot);
         });
}

bool stands_beside(const Object& object, const Object& written) {
  const auto is_there = [&](const Version& version) {
    return object.find(version.dot) && !has_retried_twin(object, version);
  };
  const auto is_other = [&](const Version& version) { return !written.find(version.dot); };
  return std::any_of(written.versions.begin(), written.versions.end(), is_there) &&
         std::any_of(object.versions.begin(), object.versions.end(), is_other);
}

bool may_have_twins(const Object& object, uint64_t origin) {
  return any_held(
      object, [&](const Version& version) { return version.retried && version.origin == origin; });
}

uint64_t origin_of(const Version& version) {
  if (version.origin != 0) return version.origin;
  const uint64_t derived = xxh64({reinterpret_cast<const char*>(&version.dot), sizeof(Dot)});
  return derived != 0 ? derived : 1;
}

const SharedBytes* owner_of(std::string_view bytes, const Object& object) {
  if (bytes.size() < kSharedBytesMin) return nullptr;
  for (const Version& version : object.versions) {
    if (worth_sharing(bytes, version.owner)) return version.owner;
  }
  return nullptr;
}

bool visible(const Version& version, uint64_t now_ms) {
  return version.type != TypeTag::kTombstone &&
         (version.deadline_ms == 0 || version.deadline_ms > now_ms);
}

InlineVector<Version, 1> visible_versions(const Object& object, uint64_t now_ms) {
  InlineVector<Version, 1> seen;
  for (const Version& version : object.versions) {
    if (!visible(version, now_ms)) continue;
    Version* twin = nullptr;
    for (Version& other : seen) {
      if (origin_of(other) == origin_of(version)) twin = &other;
    }
    if (!twin) {
      seen.push_back(version);
    } else if (outlasts(version.deadline_ms, twin->deadline_ms)) {
      *twin = version;
    }
  }
  return seen;
}

uint64_t versions_digest(const Object& object) {
  KVORUM_DEBUG_CHECK(in_canonical_order(object.versions));  // equal versions, equal digests
  uint64_t digest = 0;
  for (const Version& version : object.versions) {
    static_assert(sizeof(Dot) == 32, "hashed as it lies in memory: no padding");
    digest = xxh64({reinterpret_cast<const char*>(&version.dot), sizeof(Dot)}, digest);
  }
  return digest;
}

uint64_t leaf_digest(const KeyRef& key, const Object& object, uint64_t seed) {
  if (object.versions.empty()) return 0;
  return hash_seeded(key.key, seed ^ versions_digest(object) ^ key.keyspace);
}

}  // namespace kvorum::cluster
