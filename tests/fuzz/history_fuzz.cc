// SPDX-License-Identifier: Apache-2.0
// Any bytes as a membership history from the disk, as what another node sends of its own, and as
// the buckets that it compares. What is taken in must give a history that has a view, and that
// comes back from its bytes. The first byte chooses.
#include <string>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"
#include "cluster/history/history_delta.h"
#include "cluster/history/history_view.h"
#include "tests/fuzz/fuzz_target.h"

namespace kvorum::fuzz {
namespace {

using namespace kvorum::cluster;  // NOLINT: half of it is under test here

// Of the cluster from which the corpus is.
History base_history() {
  Founding founding;
  founding.cluster_name = "demo";
  founding.partitions = 4;
  for (const char* name : {"n0", "n1", "n2"}) {
    Member& member = founding.members.emplace_back();
    member.name = name;
  }
  return History(founding);
}

void check_view(const History& history) {
  constexpr uint32_t kPartitionsLookedAt = 16;  // larger rings take long to place
  if (history.founding().partitions > kPartitionsLookedAt) return;
  SetPlacements placements;
  const ClusterView view = view_of(history, placements, nullptr, 0);
  KVORUM_CHECK(view.ring.placed_members() > 0);
  for (uint32_t partition = 0; partition < view.ring.partitions(); ++partition) {
    KVORUM_CHECK(!view.owners(0, partition).empty());
    KVORUM_CHECK(view.signature(partition) != 0);
  }
  KVORUM_CHECK(view_of(history, placements, &view, 0).follows(view));
}

void check_history(const History& history) {
  std::string bytes;
  history.encode(bytes);
  const auto again = History::decode(bytes);
  KVORUM_CHECK(again && again->digest() == history.digest());
  KVORUM_CHECK(again->newest() == history.newest());
  check_view(history);
}

// With the magic and the checksum of a history before them, which no fuzzer would find.
void check_disk(std::string_view body) {
  std::string bytes;
  base_history().encode(bytes);
  bytes.resize(sizeof(uint32_t));
  put_u64(bytes, xxh64(body));
  bytes += body;
  if (const auto history = History::decode(bytes)) check_history(*history);
}

void check_difference(std::string_view elements) {
  History history = base_history();
  std::string bytes;
  put_u64(bytes, history.cluster_id());
  bytes += elements;
  if (!merge_difference(history, bytes)) {
    KVORUM_CHECK(history.digest() == 0);
    return;
  }
  check_history(history);
}

void fuzz_history(std::string_view input) {
  Choices choices(input);
  switch (choices.byte() % 3) {
    case 0:
      return check_disk(choices.rest());
    case 1:
      return check_difference(choices.rest());
    default: {
      std::string out;
      encode_difference(base_history(), choices.rest(), out);
    }
  }
}

const RegisterFuzzTarget kRegistered("history_fuzz", &fuzz_history);

}  // namespace
}  // namespace kvorum::fuzz
