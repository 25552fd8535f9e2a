// SPDX-License-Identifier: Apache-2.0
#include "tests/cluster/test_cluster.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/check.h"
#include "cluster/own/scan_page.h"
#include "cluster/version/object_codec.h"

namespace kvorum::cluster {
namespace {

constexpr int kPartitionBits = 4;

EditOutput set_edit(const EditInput& input, std::string&) {
  EditOutput output;
  output.verdict = EditOutput::Verdict::kStore;
  output.bytes = input.value;
  return output;
}

EditOutput delete_edit(const EditInput& input, std::string&) {
  EditOutput output;
  if (input.visible.empty() && !input.may_be_evicted) return output;
  output.verdict = EditOutput::Verdict::kStore;
  output.type = TypeTag::kTombstone;
  output.reply_number = input.visible.empty() ? 0 : 1;
  return output;
}

EditOutput increment_edit(const EditInput& input, std::string& scratch) {
  int64_t number = 0;
  if (!input.visible.empty()) {
    const std::string_view bytes = input.visible[0].bytes;
    std::from_chars(bytes.data(), bytes.data() + bytes.size(), number);
  }
  scratch = std::to_string(number + 1);
  EditOutput output;
  output.verdict = EditOutput::Verdict::kStore;
  output.bytes = scratch;
  output.reply_number = number + 1;
  return output;
}

constexpr EditRow kRows[] = {
    {"set", set_edit, false, true},
    {"delete", delete_edit, true, true},
    {"increment", increment_edit, true, false},
};

engine::TableOptions table_options() {
  engine::TableOptions options;
  options.partition_bits = kPartitionBits;
  options.hash_seed = 7;
  return options;
}

}  // namespace

EditTable test_edits::table() { return kRows; }

Request test_edits::request(EditCode edit, std::string_view value) {
  Request request;
  request.kind = Request::Kind::kEdit;
  request.edit = edit;
  request.value = value;
  return request;
}

TestNode::TestNode(const ClusterView&, uint64_t run)
    : whole(std::make_unique<WholeReplicas>(kPartitionBits, true)),
      exchanges(std::make_unique<CleanExchanges>(1u << kPartitionBits)),
      hint_table(std::make_unique<engine::ObjectTable>(Hints::table_options(7))),
      hints(std::make_unique<Hints>(hint_table.get(), &authors, HintOptions{})),
      incarnation(run),
      renewed_incarnation(run) {
  make_table();
}

void TestNode::make_table() {
  engine::TableOptions options = table_options();
  options.codec = &table_codec;
  options.store = object_store;
  options.memory_bytes_max = memory_bytes_max;
  if (evicts) options.evicting_keyspaces = 1;
  table = std::make_unique<engine::ObjectTable>(options);
}

void TestNode::wipe(uint64_t new_incarnation) {
  coordinator.reset();
  hints.reset();
  hint_table = std::make_unique<engine::ObjectTable>(Hints::table_options(7));
  hints = std::make_unique<Hints>(hint_table.get(), &authors, HintOptions{});
  make_table();
  whole = std::make_unique<WholeReplicas>(kPartitionBits, false);
  exchanges = std::make_unique<CleanExchanges>(1u << kPartitionBits);
  incarnation = new_incarnation;
  renewed_incarnation = new_incarnation;
}

NodeParts TestNode::parts() {
  NodeParts parts;
  parts.table = table.get();
  parts.hints = hints.get();
  parts.authors = &authors;
  parts.clock = &clock;
  parts.marks = &marks;
  parts.edits = test_edits::table();
  parts.incarnation = incarnation;
  parts.renewed_incarnation = &renewed_incarnation;
  parts.frontier = frontier.get();
  parts.whole = whole.get();
  parts.exchanges = exchanges.get();
  parts.budget = budget;
  parts.claims = claims.get();
  parts.losses = losses.get();
  parts.former = &former;
  parts.agreement = agreement.get();
  return parts;
}

void TestNode::start(std::shared_ptr<const ClusterView> view, const CoordinatorOptions& options) {
  frontier.reset();
  if (options.anti_entropy_ms != 0 && options.gossip_ms != 0 && view->is_member()) {
    frontier = std::make_unique<FrontierProtocol>(
        FrontierParts{table.get(), hint_table.get(), &clock, &marks, view, &former}, incarnation);
  }
  exchanges->set_observer(frontier.get());
  claims = std::make_unique<Claims>();
  losses = std::make_unique<LostCopies>(whole.get(), frontier.get(), [this] {
    const uint64_t over = renewed_incarnation;
    return renewed_incarnation.exchange(over + 1);
  });
  table->store_health().set_loss_listener(losses.get());
  coordinator = std::make_unique<Coordinator>(parts(), std::move(view), options, incarnation);
  coordinator->set_sinks(this, this);
}

void TestNode::open_hints(engine::Store* store, uint64_t bytes_max) {
  coordinator.reset();
  hints.reset();
  codec = std::make_unique<StoredRecordCodec>(&authors, 0);
  engine::TableOptions options = Hints::table_options(7);
  options.store = store;
  options.codec = codec.get();
  hint_table = std::make_unique<engine::ObjectTable>(options);
  if (store != nullptr) KVORUM_CHECK(hint_table->store_reader().warm().ok());
  hints = std::make_unique<Hints>(hint_table.get(), &authors,
                                  HintOptions{Partitioner::kMd5, bytes_max});
  hints->recover();
}

void TestNode::open_objects(engine::Store* store, uint64_t bytes_max) {
  coordinator.reset();
  object_store = store;
  memory_bytes_max = bytes_max;
  make_table();
  KVORUM_CHECK(table->store_reader().warm().ok());
  commits_objects = true;
}

void TestNode::open_cache(uint64_t bytes_max) {
  coordinator.reset();
  memory_bytes_max = bytes_max;
  evicts = true;
  make_table();
}

void TestNode::salvage() {
  table->store_health().fail();
  table->store_health().lose_all();
  KVORUM_CHECK(object_store->salvage({}).ok());
  table->store_health().recover();
}

void TestNode::on_complete(uint64_t tag, const Completion& completion) {
  Answer& answer = answers[tag];
  answer.outcome = completion.outcome;
  answer.text = completion.text;
  answer.number = completion.reply_number;
  answer.stored = completion.stored;
  answer.service = completion.service;
  answer.fastest = completion.fastest;
  if (completion.replicas) answer.replicas = completion.replicas->size();
  if (completion.context) answer.context = *completion.context;
  if (completion.object) {
    answer.context.vector = completion.object->vector;
    for (const Version& version : visible_versions(*completion.object, completion.now_ms)) {
      answer.values.emplace_back(version.bytes);
    }
  }
}

void TestNode::on_keyspace_complete(uint64_t tag, const KeyspaceCompletion& completion) {
  keyspace_answers[tag] = completion;
}

TestCluster::TestCluster(size_t count, const std::function<void(Founding&)>& adjust,
                         const CoordinatorOptions& options)
    : options_(options) {
  Founding& founding = founding_;
  founding.cluster_name = "test";
  founding.partitions = 1u << kPartitionBits;
  for (size_t node = 0; node < count; ++node) {
    Member member;
    member.name = std::string(1, static_cast<char>('a' + node));
    member.peer = Endpoint{"127.0.0.1", static_cast<uint16_t>(7000 + node)};
    founding.members.push_back(member);
  }
  if (adjust) adjust(founding);
  for (size_t node = 0; node < count; ++node) {
    const auto own_view =
        std::make_shared<const ClusterView>(found_view(founding, founding.members[node].name));
    if (node == 0) view = own_view;
    nodes.push_back(std::make_unique<TestNode>(*own_view, 100 + node));
    nodes.back()->start(own_view, options_);
  }
  heal_all();
}

uint64_t TestCluster::records_of(size_t node) const {
  uint64_t records = 0;
  for (uint32_t partition = 0; partition < 1u << kPartitionBits; ++partition) {
    records += nodes[node]->table->record_count(0, partition);
  }
  return records;
}

std::string TestCluster::copy_of(size_t node, const std::string& key) const {
  std::string bytes;
  const TestNode& its = *nodes[node];
  its.table->read(ref(key), [&](engine::RecordView record_bytes) {
    Record record;
    decode_record(record_bytes, its.authors, record);
    encode_object(record.object, bytes);
  });
  return bytes;
}

void TestCluster::restore(size_t node, const std::string& key, const std::string& copy) {
  Object old;
  KVORUM_CHECK(decode_object(copy, old));
  change_own(node, key, [&](Record& record) { record.object = old; });
}

KeyRef TestCluster::ref(const std::string& key, uint8_t keyspace_number) const {
  return KeyRef{key, position_of(key), keyspace_number};
}

Now TestCluster::now_of(size_t node) const {
  return Now{steady_us,
             static_cast<uint64_t>(static_cast<int64_t>(wall_ms) + nodes[node]->skew_ms)};
}

size_t TestCluster::node_for(const std::string& key, size_t place) const {
  return view->ring.preference_list(partition_of(position_of(key), kPartitionBits))[place];
}

Answer TestCluster::run(size_t node, Request request, const std::string& key) {
  const uint64_t tag = next_tag_++;
  request.key = ref(key, keyspace);
  nodes[node]->coordinator->submit(request, tag, now_of(node));
  settle();
  for (int step = 0; step < 300 && !nodes[node]->answers.contains(tag); ++step) pass_ms(10);
  return nodes[node]->answers.at(tag);
}

Answer TestCluster::set(size_t node, const std::string& key, const std::string& value) {
  return run(node, test_edits::request(test_edits::kSet, value), key);
}

Answer TestCluster::put(size_t node, const std::string& key, const Context& context,
                        const std::string& value) {
  Request request = test_edits::request(test_edits::kSet, value);
  request.has_context = true;
  request.context = &context;
  request.wants_context = true;
  return run(node, request, key);
}

Answer TestCluster::get(size_t node, const std::string& key) { return run(node, Request{}, key); }

Answer TestCluster::remove(size_t node, const std::string& key) {
  return run(node, test_edits::request(test_edits::kDelete), key);
}

Answer TestCluster::increment(size_t node, const std::string& key) {
  return run(node, test_edits::request(test_edits::kIncrement), key);
}

void TestCluster::cut(size_t a, size_t b, bool silently) {
  cut_.insert({std::min(a, b), std::max(a, b)});
  if (silently) return;
  const auto index = [](size_t node) { return static_cast<MemberIndex>(node); };
  nodes[a]->coordinator->on_link(index(b), false, now_of(a));
  nodes[b]->coordinator->on_link(index(a), false, now_of(b));
  settle();
}

void TestCluster::heal(size_t a, size_t b) {
  cut_.erase({std::min(a, b), std::max(a, b)});
  const auto index = [](size_t node) { return static_cast<MemberIndex>(node); };
  nodes[a]->coordinator->on_link(index(b), true, now_of(a));
  nodes[b]->coordinator->on_link(index(a), true, now_of(b));
  settle();
}

void TestCluster::restart_wiped_unlinked(size_t node) {
  isolate(node);
  const auto own_view = std::make_shared<const ClusterView>(nodes[node]->coordinator->view());
  nodes[node]->wipe(nodes[node]->incarnation + 100);
  nodes[node]->start(own_view, options_);
}

void TestCluster::restart_wiped(size_t node) {
  restart_wiped_unlinked(node);
  for (size_t other = 0; other < nodes.size(); ++other) {
    if (other != node) heal(node, other);
  }
}

void TestCluster::isolate(size_t node, bool silently) {
  for (size_t other = 0; other < nodes.size(); ++other) {
    if (other != node) cut(node, other, silently);
  }
}

void TestCluster::heal_all() {
  cut_ways_.clear();
  for (size_t a = 0; a < nodes.size(); ++a) {
    for (size_t b = a + 1; b < nodes.size(); ++b) heal(a, b);
  }
}

void TestCluster::open_hints(size_t node, engine::Store* store, uint64_t bytes_max) {
  TestNode& holder = *nodes[node];
  const auto own_view = std::make_shared<const ClusterView>(holder.coordinator->view());
  holder.open_hints(store, bytes_max);
  holder.start(own_view, options_);
  for (size_t other = 0; other < nodes.size(); ++other) {
    if (other != node) heal(node, other);
  }
}

void TestCluster::open_objects(size_t node, engine::Store* store, uint64_t memory_bytes_max) {
  TestNode& its = *nodes[node];
  const auto own_view = std::make_shared<const ClusterView>(its.coordinator->view());
  isolate(node);
  its.open_objects(store, memory_bytes_max);
  its.start(own_view, options_);
  heal_all();
}

void TestCluster::open_caches(uint64_t memory_bytes_max) {
  for (size_t node = 0; node < nodes.size(); ++node) {
    const auto own_view = std::make_shared<const ClusterView>(nodes[node]->coordinator->view());
    isolate(node);
    nodes[node]->open_cache(memory_bytes_max);
    nodes[node]->start(own_view, options_);
  }
  heal_all();
}

void TestCluster::commit_hints(size_t node, bool ok) {
  TestNode& holder = *nodes[node];
  KVORUM_CHECK(holder.hint_table->commits().commit(true).ok() == ok);
  holder.coordinator->on_hints_committed(holder.hints->committed(), ok, now_of(node));
}

// Commits and loads: whether there were any.
bool TestCluster::work_store(size_t node) {
  TestNode& its = *nodes[node];
  bool worked = false;
  if (its.commits_hints && its.hint_table->commits().has_dirty()) {
    commit_hints(node);
    worked = true;
  }
  if (its.commits_objects && its.table->commits().has_dirty()) {
    KVORUM_CHECK(its.table->commits().commit(true).ok());
    its.coordinator->on_committed(its.table->commits().committed(), true, now_of(node));
    worked = true;
  }
  if (its.table->store_health().damaged()) its.salvage();
  const std::vector<RangeLoad> ranges = std::exchange(its.coordinator->outbox().range_loads, {});
  for (const RangeLoad& range : ranges) {
    const ScanPage page = read_stored_page(its.parts(), range);
    its.coordinator->on_scanned(range.operation, page, now_of(node));
  }
  const std::vector<Load> loads = std::exchange(its.coordinator->outbox().loads, {});
  for (const Load& load : loads) {
    ++loads_served;
    its.coordinator->on_loaded(load.operation, its.table->store_reader().load(load.ref()).ok(),
                               now_of(node));
  }
  return worked || !loads.empty() || !ranges.empty();
}

bool TestCluster::deliver_once() {
  bool moved = false;
  for (size_t node = 0; node < nodes.size(); ++node) moved |= work_store(node);
  for (size_t from = 0; from < nodes.size(); ++from) {
    Outbox& outbox = nodes[from]->coordinator->outbox();
    const std::vector<LinkIndex> addressed = outbox.addressed();
    outbox.clear_addressed();
    for (const LinkIndex link : addressed) {
      const MemberIndex to = link.member();
      std::string bytes;
      bytes.swap(outbox.batch(to));
      moved = true;
      const bool lost = cut_ways_.contains({from, to}) ||
                        cut_.contains({std::min<size_t>(from, to), std::max<size_t>(from, to)});
      std::string_view rest = bytes;
      Frame frame;
      size_t size = 0;
      while (parse_frame(rest, &frame, &size) == FrameStatus::kFrame) {
        rest.remove_prefix(size);
        if (lost) {
          frames_lost +=
              frame.head.type != MessageType::kProbe && frame.head.type != MessageType::kProbeReply;
          continue;
        }
        bytes_delivered += size;
        nodes[to]->coordinator->on_message(static_cast<MemberIndex>(from), frame, now_of(to));
      }
    }
  }
  return moved;
}

void TestCluster::settle() {
  while (deliver_once()) {
  }
  for (const auto& node : nodes) node->marks.set_stored(node->marks.generation());
}

void TestCluster::pass_ms(uint64_t ms) {
  for (uint64_t passed = 0; passed < ms; passed += 10) {
    steady_us += 10'000;
    wall_ms += 10;
    for (size_t node = 0; node < nodes.size(); ++node) {
      nodes[node]->coordinator->on_time(now_of(node));
    }
    settle();
  }
}

void TestCluster::change_own(size_t node, const std::string& key,
                             FunctionRef<void(Record& record)> fn) {
  TestNode& there = *nodes[node];
  const KeyRef changed = ref(key);
  std::string head;
  there.table->update(changed, [&](engine::RecordView bytes) {
    Record record;
    decode_record(bytes, there.authors, record);
    const uint64_t before = leaf_digest(changed, record.object, 0);
    fn(record);
    engine::RecordChange change;
    const bool encoded = encode_record(record, there.authors, head, &change);
    KVORUM_CHECK(encoded);
    change.action = engine::RecordChange::Action::kStore;
    change.head = head;
    change.live = true;
    change.oldest_changed = oldest_above(record.object, {});
    change.digest_change = before ^ leaf_digest(changed, record.object, 0);
    return change;
  });
}

std::vector<std::string> TestCluster::own_values(size_t node, const std::string& key) {
  std::vector<std::string> values;
  nodes[node]->table->read(ref(key, keyspace), [&](engine::RecordView bytes) {
    Record record;
    decode_record(bytes, nodes[node]->authors, record);
    for (const Version& version : visible_versions(record.object, wall_ms)) {
      values.emplace_back(version.bytes);
    }
  });
  return values;
}

}  // namespace kvorum::cluster
