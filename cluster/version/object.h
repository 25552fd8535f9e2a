// SPDX-License-Identifier: Apache-2.0
// The version algebra: what is stored per key and how two copies become one. An Object is a dotted
// version vector set: a version vector (actor -> highest HLC) plus the versions that nothing
// covers, each with its own dot. update(), merge() and the vector as context are the whole algebra;
// merge is commutative, associative and idempotent (tests/cluster/version/object_test.cc). Pure
// values: the bytes of versions are borrowed from a record, a frame or a request and live as long
// as those. Sources: paper 4.4; Preguica et al., "Dotted Version Vectors"; docs/CONSISTENCY.md.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/inline_vector.h"
#include "base/position.h"
#include "base/shared_bytes.h"
#include "base/time.h"

namespace kvorum::cluster {

// Who mints dots for one key: a node, in one incarnation, since it last lacked the key. `birth` is
// the HLC of the first dot that it minted since then, so a counter never speaks for what its node
// forgot.
struct Actor {
  uint64_t node = 0;
  uint64_t incarnation = 0;
  Hlc birth;
  constexpr auto operator<=>(const Actor&) const = default;
};

struct Dot {
  Actor actor;
  Hlc hlc;
  constexpr bool operator==(const Dot&) const = default;
};

// Newest first, then by actor: the canonical order of versions.
bool newer(const Dot& a, const Dot& b);

enum class TypeTag : uint8_t { kTombstone = 0, kString = 1 };

// Marks of a version, in the upper bits of its stored type. A version without them is stored as
// ever; a node of a release before them refuses those that have some.
inline constexpr uint8_t kMarkNamed = 1;    // its origin was chosen by a client: memcached's E flag
inline constexpr uint8_t kMarkClaimed = 2;  // somebody was told to write it anew
inline constexpr uint8_t kMarkStale = 4;
inline constexpr uint8_t kMarksMask = 7;

struct Version {
  Dot dot;
  TypeTag type = TypeTag::kString;
  uint32_t flags = 0;        // memcached's
  uint64_t deadline_ms = 0;  // absolute Unix milliseconds; 0: never
  uint64_t origin = 0;       // the client request that made the bytes; 0: made by the dot's own
  uint8_t marks = 0;         // of memcached's items: see kMarkStale
  // That request was given to another coordinator before, of which nobody heard whether it ran it:
  // a twin, of one origin, may exist or come to be under another dot.
  bool retried = false;
  std::string_view bytes;
  // Where those of a large value may be shared; borrowed as they are. Null: they are copied.
  const SharedBytes* owner = nullptr;
};

struct VectorEntry {
  Actor actor;
  Hlc hlc;
};

// One entry per actor, in actor order.
class VersionVector {
 public:
  const VectorEntry* find(const Actor& actor) const;
  bool covers(const Dot& dot) const;
  // Every entry of `other` is covered by this vector.
  bool covers_all(const VersionVector& other) const;
  void raise(const Actor& actor, Hlc hlc);
  // The same where nothing stands there yet.
  void begin_with(const Actor& actor, Hlc hlc) {
    KVORUM_CHECK(entries_.empty());
    entries_.push_back({actor, hlc});
  }
  void clear() { entries_.clear(); }
  void join(const VersionVector& other);
  void erase_at(size_t index) {
    KVORUM_CHECK(index < entries_.size());
    entries_.erase_at(index);
  }

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  const VectorEntry* begin() const { return entries_.begin(); }
  const VectorEntry* end() const { return entries_.end(); }
  bool operator==(const VersionVector& other) const;

 private:
  InlineVector<VectorEntry, 3> entries_;
};

// The origin of retried versions that were replaced: their twins are replaced too, wherever they
// come from and however late they are made. Kept until no twin can come any more.
struct SpentOrigin {
  uint64_t origin = 0;
  Dot dot;       // of the newest of those versions
  Hlc replaced;  // by a version with this HLC
};

// The newest of the outvoted versions that are kept.
inline constexpr size_t kOutvotedMax = 4;

struct Object {
  VersionVector vector;
  InlineVector<Version, 1> versions;   // canonical order; none is of a spent origin
  InlineVector<SpentOrigin, 1> spent;  // by origin
  // Of last-write-wins keyspaces: what lost against versions[0], in canonical order. Nobody sees it
  // and no digest counts it, but it is shown again where the winner turns out to be a twin that
  // does not count. Empty where versions are.
  InlineVector<Version, 1> outvoted;

  bool empty() const { return vector.empty() && versions.empty(); }
  const Version* find(const Dot& dot) const;             // among the versions
  const Version* find_held(const Dot& dot) const;        // and the outvoted ones
  const SpentOrigin* find_spent(uint64_t origin) const;  // null: not spent, or origin is 0
};

// What a client knows (docs/CONSISTENCY.md): everything its vector covers, and single dots beyond
// it that cover only themselves ("detached": the dot of a put, whose writer never saw its
// siblings).
struct Context {
  VersionVector vector;
  InlineVector<Dot, 2> detached;

  bool empty() const { return vector.empty() && detached.empty(); }
  bool covers(const Dot& dot) const;
};

// Adds `version` (its dot newly minted, its origin not spent) to the object, replacing what the
// context covers, and with a retried version its twins. Its own twin stays beside it: who has read
// that one, and replaces it, replaces both.
void update(Object& object, const Context& context, const Version& version);

// What is outvoted in one copy is so in the merged object, as long as a newer version is there.
Object merge(const Object& a, const Object& b);

// Last-write-wins keyspaces: only the version with the newest HLC (then actor) stays one, the
// others are outvoted; and forgotten where the newest lies below the frontier. Everybody has it
// then, so one that replaced its twin unseen is newer and wins in any case. Returns how many
// versions that outvoted, without those below the frontier: who did not cover them had forgotten
// them.
size_t keep_newest(Object& object, Hlc frontier = {});

// Where the newest version went, and one of the outvoted is newer than all others: it is shown.
void show_outvoted(Object& object);

// After a put: past entries_max drops the oldest entries, those below the frontier first as they
// are older. Entries whose actor has a version here, or had one before the put, stay: replicas that
// still hold that version would show it again. Beside a tombstone an entry goes only where all that
// was known before the put lay below the frontier: then every primary has dropped what it covers.
// Returns how many entries went (paper 4.4, clock truncation).
size_t truncate_vector(Object& object, size_t entries_max, const Object& before, Hlc frontier);

// What a complete copy says about another one: below its frontier it knows everything, so a version
// there that it neither holds nor covers was deleted, and its tombstone forgotten. Drops such
// versions from `object`, and the whole of it where nothing is left that could matter. `dead` gets
// what was dropped. Returns how many versions that were; outvoted ones go without being counted.
size_t drop_dead(Object& object, const Object& complete, Hlc frontier,
                 InlineVector<Version, 1>* dead = nullptr);

// A copy and how far it is complete.
struct Copy {
  const Object& object;
  Hlc frontier;
};

// merge() of two copies: neither gets from the other one what is dead.
Object merge_copies(const Copy& a, const Copy& b);

// A request that is on its way to a coordinator is run or lost within this time.
inline constexpr uint64_t kTwinsWithinMs = 10'000;

// Forgets spent origins of which no twin can come any more. Returns whether there were any.
bool forget_spent(Object& object, Hlc frontier);

// No version but tombstones, and every entry of the vector and every deadline lies below the
// frontier: all primaries have it, and nothing can come that it would have to cover.
bool reapable(const Object& object, Hlc frontier);

// All of it lies below the frontier, and no twin can come: every primary has it or something newer,
// so a copy that forgets it, live values too, makes no older one visible (docs/CONSISTENCY.md,
// "Eviction"). What is outvoted may go with it, as with what is reapable: the winner lies below.
bool evictable(const Object& object, Hlc frontier);

// The least HLC of the versions, outvoted ones too, at or above the frontier; all bits set where
// there is none.
uint64_t oldest_above(const Object& object, Hlc frontier);

// A version of that origin, outvoted or not, was made by a retry.
bool may_have_twins(const Object& object, uint64_t origin);
// It has a version of the same origin that was retried, under another dot.
bool has_retried_twin(const Object& object, const Version& version);
// What was written is in it, beside a version that was made without knowing it. A twin is none.
bool stands_beside(const Object& object, const Object& written);

// The request that made a version's bytes, never 0: kept through retries, EXPIRE and PERSIST.
uint64_t origin_of(const Version& version);

// What large bytes lie in, where they are a version's and worth sharing; null otherwise.
const SharedBytes* owner_of(std::string_view bytes, const Object& object);

// A version that a client may see at `now_ms`: no tombstone, deadline not reached.
bool visible(const Version& version, uint64_t now_ms);

// The versions that a client sees, newest first; of several with one origin only the one with the
// longest deadline (never: longest).
InlineVector<Version, 1> visible_versions(const Object& object, uint64_t now_ms);

// XXH64 of the dots in canonical order: equal digests, equal versions, whatever is outvoted. What
// replicas compare; memcached's cas unique is another one, over what a client sees
// (memcached_commands.h).
uint64_t versions_digest(const Object& object);

// The keyed leaf of a partition's digest; 0 for an object without versions.
uint64_t leaf_digest(const KeyRef& key, const Object& object, uint64_t seed);

}  // namespace kvorum::cluster
