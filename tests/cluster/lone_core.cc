// SPDX-License-Identifier: Apache-2.0
#include "tests/cluster/lone_core.h"

#include <algorithm>

#include "base/check.h"
#include "tests/cluster/test_members.h"

namespace kvorum::cluster::fixtures {
namespace {

std::shared_ptr<const ClusterView> view_of(const LoneShape& shape) {
  Founding founding;
  founding.partitions = LoneCore::kPartitions;
  founding.members = make_members(shape.members);
  for (KeyspacePolicy& policy : founding.keyspaces) {
    policy.n = shape.n;
    policy.conflicts = shape.conflicts;
  }
  if (shape.adjust_founding) shape.adjust_founding(founding);
  ClusterView view = found_view(founding, shape.is_member ? "n0" : "a stranger");
  if (shape.adjust_view) shape.adjust_view(view);
  return std::make_shared<const ClusterView>(std::move(view));
}

engine::TableOptions table_options(const LoneShape& shape, const engine::RecordCodec* codec) {
  engine::TableOptions options;
  options.partition_bits = LoneCore::kPartitionBits;
  options.hash_seed = 7;
  options.codec = codec;
  options.store = shape.store;
  options.memory_bytes_max = shape.memory_bytes_max;
  return options;
}

engine::TableOptions hint_options(const LoneShape& shape, const engine::RecordCodec* codec) {
  engine::TableOptions options = Hints::table_options(7);
  options.codec = codec;
  options.store = shape.hint_store;
  return options;
}

}  // namespace

LoneCore::LoneCore(const LoneShape& shape)
    : view(view_of(shape)),
      whole(kPartitionBits, shape.whole),
      exchanges(kPartitions),
      codec(&authors, kDigestSeed),
      table(table_options(shape, &codec)),
      hint_table(hint_options(shape, &codec)),
      hints(&hint_table, &authors, HintOptions{Partitioner::kMd5, shape.hint_bytes_max}),
      core(parts_of(shape), view, shape.options, 1) {
  if (shape.store != nullptr) KVORUM_CHECK(table.store_reader().warm().ok());
  if (shape.hint_store != nullptr) KVORUM_CHECK(hint_table.store_reader().warm().ok());
}

NodeParts LoneCore::parts_of(const LoneShape& shape) {
  if (shape.has_frontier) {
    frontier = std::make_unique<FrontierProtocol>(
        FrontierParts{&table, &hint_table, &clock, &marks, view, &former}, kIncarnation);
  }
  if (shape.kept) {
    agreement = std::make_unique<Agreement>(
        AgreementParts{view, &former, &whole, &clock, *shape.kept, Hlc::from_ms(kWallMs)});
  }
  NodeParts parts;
  parts.table = &table;
  parts.hints = &hints;
  parts.authors = &authors;
  parts.clock = &clock;
  parts.marks = &marks;
  parts.incarnation = kIncarnation;
  parts.digest_seed = kDigestSeed;
  parts.frontier = frontier.get();
  parts.whole = &whole;
  parts.exchanges = &exchanges;
  parts.claims = &claims;
  parts.former = &former;
  parts.agreement = agreement.get();
  if (shape.adjust_parts) shape.adjust_parts(parts);
  return parts;
}

void LoneCore::pass_us(uint64_t us) {
  now.steady_us += us;
  now.wall_ms = kWallMs + (now.steady_us - 1'000'000) / 1000;
}

void LoneCore::publish(const std::function<void(ClusterView&)>& change) {
  ClusterView later = *view;
  change(later);
  view = std::make_shared<const ClusterView>(std::move(later));
  core.publish(view, now);
}

KeyRef LoneCore::ref(std::string_view key, uint8_t keyspace) const {
  return KeyRef{key, position_of(key, view->partitioner), keyspace};
}

std::string LoneCore::key_in(uint32_t partition, int nth) const {
  for (int number = 0;; ++number) {
    std::string key = "k" + std::to_string(number);
    if (partition_of(position_of(key), kPartitionBits) == partition && nth-- == 0) return key;
  }
}

std::vector<std::string> LoneCore::keys_in(uint32_t partition, size_t count) const {
  std::vector<std::string> keys;
  for (int number = 0; keys.size() < count; ++number) {
    std::string key = "k" + std::to_string(number);
    if (partition_of(position_of(key), kPartitionBits) == partition) keys.push_back(std::move(key));
  }
  std::sort(keys.begin(), keys.end(), [](const std::string& a, const std::string& b) {
    return position_of(a).high < position_of(b).high;
  });
  return keys;
}

Version LoneCore::version_of(MemberIndex author, uint64_t ms, std::string_view bytes) const {
  Version version;
  version.dot = {{id_of(author), run_of(author), Hlc::from_ms(kWallMs)},
                 Hlc::from_ms(kWallMs + ms)};
  version.bytes = bytes;
  return version;
}

Object LoneCore::object_of(MemberIndex author, uint64_t ms, std::string_view bytes) const {
  Object object;
  update(object, {}, version_of(author, ms, bytes));
  return object;
}

Object LoneCore::tombstone_of(MemberIndex author, uint64_t ms) const {
  Version version = version_of(author, ms, {});
  version.type = TypeTag::kTombstone;
  Object object;
  update(object, {}, version);
  return object;
}

void LoneCore::build_tree(uint32_t partition, int depth) {
  while (table.trees().build(0, partition) == engine::TreeBuild::kGoesOn) {
  }
  ASSERT_EQ(table.trees().depth(0, partition), depth);
}

void LoneCore::grow_two_levels(uint32_t partition) {
  for (const std::string& key : keys_in(partition, 100)) put(key, object_of(1, 1, "v"));
  build_tree(partition, 2);
}

void LoneCore::put(std::string_view key, const Object& object, uint8_t keyspace) {
  const KeyRef changed = ref(key, keyspace);
  std::string head;
  const auto change_record = [&](engine::RecordView bytes) {
    Record record;
    decode_record(bytes, authors, record);
    engine::RecordChange change;
    change.digest_change = leaf_digest(changed, record.object, kDigestSeed) ^
                           leaf_digest(changed, object, kDigestSeed);
    record.object = object;
    const bool encoded = encode_record(record, authors, head, &change);
    KVORUM_CHECK(encoded);
    describe_record(object, &change);
    change.action = engine::RecordChange::Action::kStore;
    change.frees = true;
    change.head = head;
    return change;
  };
  KVORUM_CHECK(table.update(changed, change_record).access == engine::Access::kDone);
}

void LoneCore::lose(std::string_view key, uint8_t keyspace) {
  table.update(ref(key, keyspace), [](engine::RecordView) {
    engine::RecordChange change;
    change.action = engine::RecordChange::Action::kErase;
    return change;
  });
}

std::vector<std::string> LoneCore::own(std::string_view key, uint8_t keyspace) {
  std::vector<std::string> values;
  table.read(ref(key, keyspace), [&](engine::RecordView bytes) {
    Record record;
    decode_record(bytes, authors, record);
    for (const Version& version : record.object.versions) {
      values.emplace_back(version.type == TypeTag::kTombstone ? "-" : version.bytes);
    }
  });
  return values;
}

bool LoneCore::holds(std::string_view key, uint8_t keyspace) {
  bool found = false;
  table.read(ref(key, keyspace), [&](engine::RecordView bytes) { found = !bytes.absent(); });
  return found;
}

// As a round would: who reads the frontiers must not raise them.
void LoneCore::raise_frontier(Hlc hlc) {
  auto& copies = const_cast<CopyFrontiers&>(frontier->copies());
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < kPartitions; ++partition) {
      copies.raise(keyspace, partition, hlc);
    }
  }
}

Frame LoneCore::made(const std::function<void(std::string& batch)>& put) {
  std::string& batch = kept_.emplace_back();
  put(batch);
  const std::vector<Frame> frames = frames_in(batch);
  KVORUM_CHECK(frames.size() == 1);
  return frames[0];
}

std::vector<Frame> LoneCore::sent(MemberIndex to) {
  std::string& batch = kept_.emplace_back();
  if (core.outbox.waiting_bytes(to) != 0) batch.swap(core.outbox.batch(to));
  return frames_in(batch);
}

Frame LoneCore::only(MemberIndex to) {
  const std::vector<Frame> frames = sent(to);
  EXPECT_EQ(frames.size(), 1u) << "frames to member " << to;
  return frames.empty() ? Frame{} : frames[0];
}

bool LoneCore::sent_nothing() {
  for (size_t member = 0; member < view->members.size(); ++member) {
    if (core.outbox.waiting_bytes(static_cast<MemberIndex>(member)) != 0) return false;
  }
  return core.outbox.large.empty() && core.outbox.loads.empty() && core.outbox.range_loads.empty();
}

std::vector<Frame> LoneCore::frames_in(const std::string& batch) {
  std::vector<Frame> frames;
  std::string_view rest = batch;
  while (!rest.empty()) {
    Frame frame;
    size_t size = 0;
    KVORUM_CHECK(parse_frame(rest, &frame, &size) == FrameStatus::kFrame);
    rest.remove_prefix(size);
    frames.push_back(frame);
  }
  return frames;
}

}  // namespace kvorum::cluster::fixtures
