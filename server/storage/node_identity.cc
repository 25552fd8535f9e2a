// SPDX-License-Identifier: Apache-2.0
#include "server/storage/node_identity.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "engine/tree/kept_trees.h"
#include "server/membership/cluster_file.h"

namespace kvorum::server {
namespace {

constexpr uint8_t kIdentityVersion = 3;     // a journal has what is not in the store
constexpr uint8_t kUnjournaledVersion = 2;  // all else is the same
constexpr uint8_t kAddressedVersion = 1;    // the cluster id was a digest of addresses too
constexpr uint8_t kConfigurationsVersion = 1;
constexpr size_t kConfigurationsMax = 64;

std::string fact_key(std::string_view name) {
  std::string key(1, engine::kFactPrefix);
  key.append(name);
  return key;
}

void add_put(engine::StoreBatch& batch, std::string_view name, std::string_view value) {
  batch.put(fact_key(name), value);
}

// The fact's bytes, empty where there is none.
Result<std::string> read_fact(engine::Store& store, std::string_view name) {
  std::string value;
  const Status status = store.read(fact_key(name), &value);
  if (status.ok()) return value;
  if (status.code() == Code::kNotFound) return std::string();
  return status;
}

// What is stored of a claim.
struct Identity {
  uint8_t version = kIdentityVersion;
  std::string node_name, cluster_name;
  uint64_t node_id = 0, cluster_id = 0;
  uint32_t partitions = 0;
  Partitioner partitioner = Partitioner::kMd5;
  std::vector<std::string> member_names;
};

std::string encode_identity(const StoreClaim& claim) {
  std::string bytes;
  put_u8(bytes, kIdentityVersion);
  put_bytes(bytes, claim.node_name);
  put_bytes(bytes, claim.cluster_name);
  put_u64(bytes, claim.node_id);
  put_u64(bytes, claim.cluster_id);
  put_u32(bytes, claim.partitions);
  put_u8(bytes, static_cast<uint8_t>(claim.partitioner));
  put_varint(bytes, claim.member_names.size());
  for (const std::string& name : claim.member_names) put_bytes(bytes, name);
  return bytes;
}

bool decode_identity(std::string_view bytes, Identity* identity) {
  ByteReader reader(bytes);
  identity->version = reader.u8();
  identity->node_name = reader.bytes();
  identity->cluster_name = reader.bytes();
  identity->node_id = reader.u64();
  identity->cluster_id = reader.u64();
  if (identity->version == kAddressedVersion) return reader.ok();
  identity->partitions = reader.u32();
  const uint8_t partitioner = reader.u8();
  identity->partitioner = partitioner == 0 ? Partitioner::kMd5 : Partitioner::kSlots;
  const uint64_t members = reader.varint();
  for (uint64_t at = 0; at < members && reader.ok(); ++at) {
    identity->member_names.emplace_back(reader.bytes());
  }
  return reader.ok() && partitioner <= 1 &&
         (identity->version == kIdentityVersion || identity->version == kUnjournaledVersion);
}

std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

// Says what differs, with both values; ok where nothing does.
Status compare_identity(const Identity& stored, const StoreClaim& claim) {
  const auto differs = [&](std::string_view what, std::string_view was, std::string_view is) {
    return Status(Code::kExists, directory_refusal(claim.directory, founded_with(what, was, is)));
  };
  if (stored.partitions != claim.partitions) {
    return differs("cluster.partitions", std::to_string(stored.partitions),
                   std::to_string(claim.partitions));
  }
  if (stored.partitioner != claim.partitioner) {
    return differs("cluster.partitioner", partitioner_text(stored.partitioner),
                   partitioner_text(claim.partitioner));
  }
  if (stored.member_names != claim.member_names) {
    return differs("the members", joined(stored.member_names), joined(claim.member_names));
  }
  if (stored.cluster_id != claim.cluster_id || stored.node_id != claim.node_id) {
    return differs("the cluster id", fmt::format("{:016x}", stored.cluster_id),
                   fmt::format("{:016x}", claim.cluster_id));
  }
  return {};
}

// Earlier versions kept a digest of all in which they saw the identity. Where it is that of the
// present configuration all is as it was. Else addresses, racks, zones or weights changed, which
// they may; what may not is looked for in what the store has.
Status take_over(const engine::Store& store, const StoreClaim& claim, const Identity& stored,
                 SessionStart* start) {
  start->former_cluster_id = stored.cluster_id;
  const bool same = stored.cluster_id == claim.addressed_cluster_id;
  start->taken_over = fmt::format(
      "data directory {} was written by an earlier version and is taken over{}", claim.directory,
      same ? std::string()
           : fmt::format(", under other addresses, racks, zones or weights; the members are {}",
                         joined(claim.member_names)));
  if (same) return {};
  ByteReader roots(start->roots);
  roots.u8();
  const uint32_t partitions = roots.u32();
  Identity found;
  found.partitions = roots.ok() ? partitions : claim.partitions;
  found.partitioner = claim.partitioner;
  found.member_names = claim.member_names;
  found.cluster_id = claim.cluster_id;
  found.node_id = claim.node_id;
  const std::string facts(1, engine::kFactPrefix);
  const Status status = store.scan({}, facts, [&](std::string_view key, std::string_view) {
    KeyRef place;
    if (!engine::parse_store_key(key, &place)) return true;
    if (position_of(place.key, claim.partitioner).high == place.position.high) return false;
    found.partitioner =
        claim.partitioner == Partitioner::kMd5 ? Partitioner::kSlots : Partitioner::kMd5;
    return false;
  });
  return status.ok() ? compare_identity(found, claim) : status;
}

Status check_identity(const engine::Store& store, std::string_view bytes, const StoreClaim& claim,
                      SessionStart* start) {
  Identity stored;
  if (!decode_identity(bytes, &stored)) {
    return Status(Code::kInvalid,
                  fmt::format("data directory {}: its identity cannot be read; it was written by "
                              "another version, or is damaged",
                              claim.directory));
  }
  if (stored.node_name != claim.node_name || stored.cluster_name != claim.cluster_name) {
    return Status(Code::kExists,
                  fmt::format("data directory {} belongs to node {} of cluster {}; this is node {} "
                              "of cluster {}: give each node a directory of its own",
                              claim.directory, stored.node_name, stored.cluster_name,
                              claim.node_name, claim.cluster_name));
  }
  if (stored.version == kAddressedVersion) return take_over(store, claim, stored, start);
  return compare_identity(stored, claim);
}

void encode_configurations(const std::vector<cluster::Configuration>& configurations,
                           std::string& out) {
  put_u8(out, kConfigurationsVersion);
  put_varint(out, configurations.size());
  for (const cluster::Configuration& configuration : configurations) {
    cluster::encode_configuration(configuration, out);
  }
}

bool decode_configurations(std::string_view bytes,
                           std::vector<cluster::Configuration>* configurations) {
  if (bytes.empty()) return true;
  ByteReader reader(bytes);
  const bool known = reader.u8() == kConfigurationsVersion;
  const uint64_t count = reader.varint();
  if (!known || count > kConfigurationsMax) return false;
  for (uint64_t at = 0; at < count; ++at) {
    if (!cluster::decode_configuration(reader, &configurations->emplace_back())) return false;
  }
  return reader.ok();
}

// A founder that has nothing yet learned that its cluster has another placement: no copy follows
// the one with which it began.
Status forget_placement(const engine::Store& store, const StoreClaim& claim, SessionStart* start) {
  if (start->configurations.size() != 1) return {};
  cluster::Configuration began = start->configurations.front();
  if (began == claim.configuration) return {};
  began.placement = claim.configuration.placement;
  if (!(began == claim.configuration)) return {};
  bool has_objects = false;
  const std::string facts(1, engine::kFactPrefix);
  const Status status = store.scan({}, facts, [&](std::string_view, std::string_view) {
    has_objects = true;
    return false;
  });
  if (status.ok() && !has_objects) start->configurations.clear();
  return status;
}

Hlc read_hlc(std::string_view bytes) { return Hlc{ByteReader(bytes).u64()}; }

}  // namespace

Result<SessionStart> begin_session(engine::Store& store, const StoreClaim& claim,
                                   uint64_t fresh_incarnation) {
  constexpr int kFacts = 6;
  std::string facts[kFacts];
  const char* const names[kFacts] = {"identity",    "clean-stop", "clock",
                                     "flush-marks", "roots",      "configurations"};
  for (int i = 0; i < kFacts; ++i) {
    Result<std::string> fact = read_fact(store, names[i]);
    if (!fact.ok()) return fact.status();
    facts[i] = std::move(fact).value();
  }
  const auto& [identity, marker, clock, marks, roots, configurations] = facts;
  SessionStart start;
  start.flush_marks = marks;
  start.roots = roots;
  if (!identity.empty()) {
    const Status status = check_identity(store, identity, claim, &start);
    if (!status.ok()) return status;
  }
  if (!decode_configurations(configurations, &start.configurations)) {
    return Status(Code::kInvalid, fmt::format("data directory {}: the configurations that its "
                                              "copies follow cannot be read",
                                              claim.directory));
  }
  start.clock_least = read_hlc(clock);
  ByteReader stop(marker);
  const uint64_t last_incarnation = stop.u64();
  const Hlc stopped_at{stop.u64()};
  start.was_clean = stop.ok() && !marker.empty();
  start.clock_least = std::max(start.clock_least, stopped_at);
  const bool keeps = start.was_clean && claim.alone && last_incarnation != 0;
  start.incarnation = keeps ? last_incarnation : fresh_incarnation;

  engine::StoreBatch batch;
  if (!claim.waits) add_put(batch, "identity", encode_identity(claim));
  batch.erase(clean_stop_key());
  if (Status status = forget_placement(store, claim, &start); !status.ok()) return status;
  if (start.configurations.empty() && !claim.waits) {
    // Earlier versions kept none: that of the present start, with their ids.
    if (start.former_cluster_id != 0) {
      start.configurations.push_back(claim.configuration);
      start.configurations[0].id_seed = start.former_cluster_id;
    }
    start.configurations.push_back(claim.configuration);
    std::string kept;
    encode_configurations(start.configurations, kept);
    add_put(batch, "configurations", kept);
  }
  if (start.former_cluster_id != 0) {
    start.roots.clear();
    const Status status = engine::erase_kept_trees(store, batch);
    if (!status.ok()) return status;
  }
  if (Status status = store.write(batch, true); !status.ok()) return status;
  return start;
}

std::string identity_key() { return fact_key("identity"); }

Status end_session(engine::Store& store, uint64_t incarnation, Hlc clock, std::string_view roots) {
  std::string marker, reading;
  put_u64(marker, incarnation);
  put_u64(marker, clock.value);
  put_u64(reading, clock.value);
  engine::StoreBatch batch;
  add_put(batch, "clean-stop", marker);
  add_put(batch, "clock", reading);
  add_put(batch, "roots", roots);
  return store.write(batch, true);
}

std::string clean_stop_key() { return fact_key("clean-stop"); }

Status SessionFacts::write_again(uint64_t wall_ms) {
  reserved_ms_.store(0, std::memory_order_relaxed);
  const Status status = keep_clock(wall_ms);
  if (!status.ok()) return status;
  const MutexLock lock(writing_marks_);
  return write_marks(marks_->generation());
}

Status SessionFacts::keep_clock(uint64_t wall_ms) {
  const uint64_t reading_ms = clock_->reading(wall_ms).ms();
  if (reserved_ms_.load(std::memory_order_relaxed) >= reading_ms + kReservedMs / 2) return {};
  engine::StoreBatch batch;
  std::string value;
  put_u64(value, Hlc::from_ms(reading_ms + kReservedMs).value);
  add_put(batch, "clock", value);
  const Status status = store_->write(batch, false);
  if (status.ok()) reserved_ms_.store(reading_ms + kReservedMs, std::memory_order_relaxed);
  return status;
}

Status SessionFacts::keep_configurations(
    const std::vector<cluster::Configuration>& configurations) {
  std::string bytes;
  encode_configurations(configurations, bytes);
  engine::StoreBatch batch;
  add_put(batch, "configurations", bytes);
  return store_->write(batch, true);
}

Status SessionFacts::keep_marks() {
  const MutexLock lock(writing_marks_);
  const uint64_t generation = marks_->generation();
  return marks_->stored() >= generation ? Status() : write_marks(generation);
}

Status SessionFacts::write_marks(uint64_t generation) {
  std::string bytes;
  marks_->encode_all(bytes);
  engine::StoreBatch batch;
  add_put(batch, "flush-marks", bytes);
  const Status status = store_->write(batch, sync_);
  if (status.ok()) marks_->set_stored(generation);
  return status;
}

}  // namespace kvorum::server
