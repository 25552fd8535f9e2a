// SPDX-License-Identifier: Apache-2.0
// Which node may change the keys of a stretch of the ring just now, as this replica knows it. An
// edit that needs the old value claims its key at the replicas that it reads, and mints its version
// only where more than half of the primaries granted that; the claim ends where the write arrives,
// or after a while. So of two coordinators that hold each other for dead only one edits a key at a
// time, and the other one reads what it wrote. Claims are a node's, not an operation's: a node's
// own edits of a key follow each other in its table without waiting. docs/VERSIONS.md, "One
// coordinator at a time".
//
// One per node, shared by its coordinators; any thread. A word for each stretch: all keys of it lie
// in one partition, so their edits come from the same coordinator as a rule.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/position.h"
#include "cluster/ring/member.h"

namespace kvorum::cluster {

class Claims {
 public:
  static constexpr int kStretchBits = 14;

  struct Claim {
    MemberIndex member = kNoMember;
    uint64_t now_ms = 0;  // steady, as until_ms: of this node
    uint64_t until_ms = 0;
  };

  Claims() : words_(size_t{1} << kStretchBits), contests_(size_t{1} << kStretchBits) {}

  // Counts one more claim of that member; the member that has the stretch instead, or kNoMember.
  MemberIndex take(Position position, const Claim& claim) {
    KVORUM_CHECK(claim.member < kMembersMax);  // it has twelve bits of the word
    raise(claims_until_ms_, claim.until_ms);
    std::atomic<uint64_t>& word = word_of(position);
    uint64_t seen = word.load(std::memory_order_relaxed);
    for (;;) {
      Stretch stretch = unpack(seen, claim.now_ms);
      if (stretch.count > 0 && stretch.member != claim.member) return stretch.member;
      if (stretch.count == 0) stretch.until = 0;
      stretch.member = claim.member;
      stretch.count += stretch.count < kCountMax;
      const auto until = static_cast<uint32_t>(claim.until_ms);
      if (stretch.count == 1 || later(until, stretch.until)) stretch.until = until;
      if (word.compare_exchange_weak(seen, pack(stretch), std::memory_order_acq_rel)) {
        return kNoMember;
      }
    }
  }

  // One claim less of that member, if it has any.
  void release(Position position, MemberIndex member) {
    std::atomic<uint64_t>& word = word_of(position);
    uint64_t seen = word.load(std::memory_order_relaxed);
    for (;;) {
      Stretch stretch = unpack_raw(seen);
      if (stretch.count == 0 || stretch.member != member) return;
      --stretch.count;
      if (word.compare_exchange_weak(seen, pack(stretch), std::memory_order_acq_rel)) return;
    }
  }

  // Who has it; kNoMember: nobody.
  MemberIndex holder(Position position, uint64_t now_ms) const {
    if (claims_until_ms_.load(std::memory_order_acquire) <= now_ms) return kNoMember;
    const Stretch stretch = unpack(word_of(position).load(std::memory_order_acquire), now_ms);
    return stretch.count > 0 ? stretch.member : kNoMember;
  }

  // A write met another one here that it had not seen, and will be done once more: siblings that
  // are read meanwhile are none yet.
  void note_contest(Position position, uint64_t until_ms) {
    raise(contests_until_ms_, until_ms);
    std::atomic<uint64_t>& word = contests_[stretch_of(position)];
    word.store(until_ms, std::memory_order_release);
  }
  bool contested(Position position, uint64_t now_ms) const {
    if (contests_until_ms_.load(std::memory_order_acquire) <= now_ms) return false;
    return contests_[stretch_of(position)].load(std::memory_order_acquire) > now_ms;
  }

 private:
  static constexpr uint32_t kCountMax = (1u << 20) - 1;
  static_assert(kMembersMax <= 1u << 12);

  struct Stretch {
    MemberIndex member = 0;
    uint32_t count = 0;
    uint32_t until = 0;  // milliseconds, the lower bits
  };

  static bool later(uint32_t a, uint32_t b) { return static_cast<int32_t>(a - b) > 0; }
  static uint64_t pack(const Stretch& stretch) {
    return uint64_t{stretch.member} << 52 | uint64_t{stretch.count} << 32 | stretch.until;
  }
  static Stretch unpack_raw(uint64_t word) {
    return {static_cast<MemberIndex>(word >> 52), static_cast<uint32_t>(word >> 32) & kCountMax,
            static_cast<uint32_t>(word)};
  }
  // A claim whose time is over counts no more.
  static Stretch unpack(uint64_t word, uint64_t now_ms) {
    Stretch stretch = unpack_raw(word);
    if (!later(stretch.until, static_cast<uint32_t>(now_ms))) stretch.count = 0;
    return stretch;
  }
  static size_t stretch_of(Position position) { return position.high >> (64 - kStretchBits); }
  std::atomic<uint64_t>& word_of(Position position) { return words_[stretch_of(position)]; }
  const std::atomic<uint64_t>& word_of(Position position) const {
    return words_[stretch_of(position)];
  }

  static void raise(std::atomic<uint64_t>& until, uint64_t to) {
    uint64_t before = until.load(std::memory_order_relaxed);
    while (before < to && !until.compare_exchange_weak(before, to, std::memory_order_acq_rel)) {
    }
  }

  // Of all stretches, so that the usual request, beside no edit at all, need not look at its own.
  std::atomic<uint64_t> claims_until_ms_{0}, contests_until_ms_{0};
  std::vector<std::atomic<uint64_t>> words_;
  std::vector<std::atomic<uint64_t>> contests_;  // until when
};

}  // namespace kvorum::cluster
