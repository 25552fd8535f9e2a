// SPDX-License-Identifier: Apache-2.0
#include "server/node_identity.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"

namespace kvorum::server {
namespace {

constexpr uint8_t kIdentityVersion = 1;

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

std::string encode_identity(const StoreClaim& claim) {
  std::string bytes;
  put_u8(bytes, kIdentityVersion);
  put_bytes(bytes, claim.node_name);
  put_bytes(bytes, claim.cluster_name);
  put_u64(bytes, claim.node_id);
  put_u64(bytes, claim.cluster_id);
  return bytes;
}

// Ok where the stored identity is this node's.
Status compare_identity(std::string_view stored, const StoreClaim& claim) {
  ByteReader reader(stored);
  const uint8_t version = reader.u8();
  const std::string name(reader.bytes()), cluster(reader.bytes());
  const uint64_t node_id = reader.u64(), cluster_id = reader.u64();
  if (version != kIdentityVersion || !reader.ok()) {
    return Status(Code::kInvalid,
                  fmt::format("data directory {}: its identity cannot be read; it was written by "
                              "another version, or is damaged",
                              claim.directory));
  }
  if (name != claim.node_name || cluster != claim.cluster_name) {
    return Status(Code::kExists,
                  fmt::format("data directory {} belongs to node {} of cluster {}; this is node {} "
                              "of cluster {}: give each node a directory of its own",
                              claim.directory, name, cluster, claim.node_name, claim.cluster_name));
  }
  if (cluster_id != claim.cluster_id || node_id != claim.node_id) {
    return Status(Code::kExists,
                  fmt::format("data directory {} belongs to a cluster {} with other founding "
                              "members, partitions or partitioner; use the configuration it was "
                              "founded with, or an empty directory",
                              claim.directory, cluster));
  }
  return {};
}

Hlc read_hlc(std::string_view bytes) { return Hlc{ByteReader(bytes).u64()}; }

}  // namespace

Result<SessionStart> begin_session(engine::Store& store, const StoreClaim& claim,
                                   uint64_t fresh_incarnation) {
  std::string facts[5];
  const char* const names[5] = {"identity", "clean-stop", "clock", "flush-marks", "roots"};
  for (int i = 0; i < 5; ++i) {
    Result<std::string> fact = read_fact(store, names[i]);
    if (!fact.ok()) return fact.status();
    facts[i] = std::move(fact).value();
  }
  const auto& [identity, marker, clock, marks, roots] = facts;
  if (!identity.empty()) {
    if (Status status = compare_identity(identity, claim); !status.ok()) return status;
  }

  SessionStart start;
  start.flush_marks = marks;
  start.roots = roots;
  start.clock_least = read_hlc(clock);
  ByteReader stop(marker);
  const uint64_t last_incarnation = stop.u64();
  const Hlc stopped_at{stop.u64()};
  start.was_clean = stop.ok() && !marker.empty();
  start.clock_least = std::max(start.clock_least, stopped_at);
  const bool keeps = start.was_clean && claim.members == 1 && last_incarnation != 0;
  start.incarnation = keeps ? last_incarnation : fresh_incarnation;

  engine::StoreBatch batch;
  add_put(batch, "identity", encode_identity(claim));
  batch.erase(clean_stop_key());
  if (Status status = store.write(batch, true); !status.ok()) return status;
  return start;
}

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
  return status.ok() ? write_marks(marks_->generation()) : status;
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

Status SessionFacts::keep_marks() {
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
