// SPDX-License-Identifier: Apache-2.0
// How far a peer's wall clock is from ours, measured over the link as Cristian did: we ask, it
// answers with its clock, and that reading was taken somewhere between question and answer. So each
// answer says "within half a round trip of this", and of the last few the one with the shortest
// round trip says it best. An answer that contradicts it means that one of the clocks was set: then
// what came before is forgotten. Pure; one per peer that is asked.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>

namespace kvorum::cluster {

// The peer's clock minus ours, and how wrong that may be.
struct ClockReport {
  int64_t offset_us = 0;
  uint64_t error_us = 0;
  bool is_off = false;  // further away than may be, for certain
};

class PeerClock {
 public:
  static constexpr int64_t kOffUs = 250'000;   // from here on it is told
  static constexpr int64_t kBackUs = 200'000;  // and below this it is over
  static constexpr size_t kSamplesMax = 8;
  static constexpr uint64_t kMillisecondUs = 1000;  // what the wall clocks are read to

  // By our clocks when the question left and when the answer came, and what it said.
  struct Answer {
    uint64_t sent_us = 0, received_us = 0;
    uint64_t our_wall_ms = 0, peer_wall_ms = 0;
  };
  enum class Change : uint8_t { kNone, kOff, kBack };

  // Whether that changed what has to be told.
  Change add(const Answer& answer) {
    if (answer.received_us < answer.sent_us) return Change::kNone;
    const uint64_t half_us = (answer.received_us - answer.sent_us) / 2;
    const int64_t ours_us =
        static_cast<int64_t>(answer.our_wall_ms * 1000) - static_cast<int64_t>(half_us);
    const Sample sample{static_cast<int64_t>(answer.peer_wall_ms * 1000) - ours_us,
                        half_us + kMillisecondUs};
    if (count_ > 0 && contradicts(best(), sample)) count_ = 0;
    samples_[count_ % kSamplesMax] = sample;
    ++count_;
    return judge();
  }

  std::optional<ClockReport> report() const {
    if (count_ == 0) return std::nullopt;
    return ClockReport{best().offset_us, best().error_us, is_off_};
  }

 private:
  struct Sample {
    int64_t offset_us = 0;
    uint64_t error_us = 0;
  };

  static bool contradicts(const Sample& a, const Sample& b) {
    return std::abs(a.offset_us - b.offset_us) > static_cast<int64_t>(a.error_us + b.error_us);
  }

  const Sample& best() const {
    const size_t held = count_ < kSamplesMax ? count_ : kSamplesMax;
    size_t at = 0;
    for (size_t i = 1; i < held; ++i) {
      if (samples_[i].error_us < samples_[at].error_us) at = i;
    }
    return samples_[at];
  }

  Change judge() {
    const int64_t away_us = std::abs(best().offset_us);
    const auto error_us = static_cast<int64_t>(best().error_us);
    if (!is_off_ && away_us > kOffUs + error_us) {
      is_off_ = true;
      return Change::kOff;
    }
    if (is_off_ && away_us + error_us < kBackUs) {
      is_off_ = false;
      return Change::kBack;
    }
    return Change::kNone;
  }

  std::array<Sample, kSamplesMax> samples_{};
  size_t count_ = 0;
  bool is_off_ = false;
};

}  // namespace kvorum::cluster
