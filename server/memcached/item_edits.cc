// SPDX-License-Identifier: Apache-2.0
#include "server/memcached/item_edits.h"

#include <algorithm>

#include "protocol/memcached_parser.h"
#include "server/commands/edits.h"
#include "server/memcached/memcached_commands.h"
#include "server/memcached/memcached_replies.h"

namespace kvorum::server {
namespace {

using cluster::kMarkClaimed;
using cluster::kMarkNamed;
using cluster::kMarkStale;
using Verdict = EditOutput::Verdict;

constexpr std::string_view kTooLarge = "SERVER_ERROR object too large for cache";

enum ChangeBits : uint16_t {
  kCompares = 1,
  kInvalidates = 2,
  kSetsDeadline = 4,
  kCreates = 8,
  kRecaches = 16,
  kTouchesFirst = 32,
  kDropsValue = 64,
  kCountsDown = 128,
  kWantsValue = 256,
};
constexpr uint8_t kWon = 1, kCreated = 2;

// What the edit stores as a version of its own: under the client's name or the request's.
void name_output(const EditInput& input, const ItemChange& change, EditOutput& output,
                 ItemState& state) {
  const uint64_t origin = change.name != 0 ? change.name : input.origin;
  if (change.name != 0) {
    output.marks |= kMarkNamed;
    output.origin = change.name;
  }
  cluster::Version version;
  version.origin = origin;
  version.flags = output.flags;
  version.marks = output.marks;
  version.bytes = output.bytes;
  state.unique = version_unique(version);
  state.flags = output.flags;
  state.deadline_ms = output.deadline_ms;
  state.size = output.bytes.size();
}

// Puts the state behind what the scratch holds: the value of the output may be that.
EditOutput answer_state(EditOutput output, uint8_t code, const ItemState& state,
                        std::string& scratch) {
  const bool in_scratch = output.bytes.data() == scratch.data() && !output.bytes.empty();
  const size_t value_bytes = in_scratch ? output.bytes.size() : 0;
  std::string encoded;
  put_item_state(encoded, state);
  scratch.resize(value_bytes);
  scratch.append(encoded);
  if (in_scratch) output.bytes = std::string_view(scratch).substr(0, value_bytes);
  return with_reply(output, code, std::string_view(scratch).substr(value_bytes));
}

EditOutput new_value(std::string_view bytes, uint32_t flags, uint64_t deadline_ms) {
  EditOutput output;
  output.verdict = Verdict::kStore;
  output.bytes = bytes;
  output.flags = flags;
  output.deadline_ms = deadline_ms;
  return output;
}

EditOutput store_new(const EditInput& input, const ItemChange& change, EditOutput output,
                     std::string& scratch) {
  ItemState state;
  state.created = input.visible.empty();
  if (!state.created) {
    state.old_deadline_ms = input.visible[0].deadline_ms;
    state.marks = input.visible[0].marks;
  }
  name_output(input, change, output, state);
  return answer_state(output, kCacheStored, state, scratch);
}

// Uniques are hashes: which of two is older is only known of those that clients chose. Any other
// that is not the present one is taken for one from before.
bool is_older(uint64_t cas, const EditInput& input) {
  const cluster::Version& version = input.visible[0];
  if (input.visible.size() > 1 || !(version.marks & kMarkNamed)) return true;
  return cas < version.origin;
}

EditOutput join(const EditInput& input, const ItemChange& change, std::string& scratch) {
  EditOutput conflict;
  if (is_conflict(input, scratch, &conflict)) return conflict;
  const std::string_view old = input.visible[0].bytes;
  if (old.size() + input.value.size() > input.value_bytes_max) return reject(kTooLarge);
  if (joins_to_too_much(input, change.item_bytes_max)) return keep(kCacheNotStored);
  const bool prepends = change.mode == StoreMode::kPrepend;
  scratch.assign(prepends ? input.value : old).append(prepends ? old : input.value);
  return store_new(input, change, store_in_place(input, scratch), scratch);
}

EditOutput store_missing(const EditInput& input, const ItemChange& change, std::string& scratch) {
  const bool joins = change.mode == StoreMode::kAppend || change.mode == StoreMode::kPrepend;
  if (joins) {
    if (!change.creates) return keep(kCacheNotStored);
    const uint64_t deadline_ms = change.created_deadline_ms;
    return store_new(input, change, new_value(input.value, change.flags, deadline_ms), scratch);
  }
  if (change.mode != StoreMode::kAdd) {
    if (change.compares) return keep(kCacheNotFound);
    if (change.mode == StoreMode::kReplace) return keep(kCacheNotStored);
  }
  return store_new(input, change, new_value(input.value, change.flags, change.deadline_ms),
                   scratch);
}

// A counter's value, in the room of the old one where it fits: blanks behind it, as memcached has
// it.
void write_count(uint64_t number, size_t old_bytes, std::string& scratch) {
  scratch.clear();
  protocol::append_uint64(scratch, number);
  if (scratch.size() < old_bytes) scratch.resize(old_bytes, ' ');
}

}  // namespace

bool joins_to_too_much(const EditInput& input, uint64_t item_bytes_max) {
  const cluster::Version& old = input.visible[0];
  const uint64_t bytes = old.bytes.size() + input.value.size();
  return protocol::item_bytes(input.key.key.size(), old.flags, bytes) > item_bytes_max;
}

void put_item_change(std::string& argument, const ItemChange& change) {
  uint16_t bits = 0;
  if (change.compares) bits |= kCompares;
  if (change.invalidates) bits |= kInvalidates;
  if (change.sets_deadline) bits |= kSetsDeadline;
  if (change.creates) bits |= kCreates;
  if (change.recaches) bits |= kRecaches;
  if (change.touches_first) bits |= kTouchesFirst;
  if (change.drops_value) bits |= kDropsValue;
  if (change.counts_down) bits |= kCountsDown;
  if (change.wants_value) bits |= kWantsValue;
  put_u16(argument, bits);
  put_u8(argument, static_cast<uint8_t>(change.mode));
  put_u64(argument, change.cas);
  put_u64(argument, change.name);
  put_varint(argument, change.deadline_ms);
  put_varint(argument, change.created_deadline_ms);
  put_varint(argument, change.recache_ms);
  put_varint(argument, change.delta);
  put_varint(argument, change.initial);
  put_u32(argument, change.flags);
  put_varint(argument, change.item_bytes_max);
}

ItemChange get_item_change(ByteReader& reader) {
  const uint16_t bits = reader.u16();
  ItemChange change;
  change.compares = bits & kCompares;
  change.invalidates = bits & kInvalidates;
  change.sets_deadline = bits & kSetsDeadline;
  change.creates = bits & kCreates;
  change.recaches = bits & kRecaches;
  change.touches_first = bits & kTouchesFirst;
  change.drops_value = bits & kDropsValue;
  change.counts_down = bits & kCountsDown;
  change.wants_value = bits & kWantsValue;
  change.mode = static_cast<StoreMode>(reader.u8());
  change.cas = reader.u64();
  change.name = reader.u64();
  change.deadline_ms = reader.varint();
  change.created_deadline_ms = reader.varint();
  change.recache_ms = reader.varint();
  change.delta = reader.varint();
  change.initial = reader.varint();
  change.flags = reader.u32();
  if (!reader.done()) change.item_bytes_max = reader.varint();  // an older node says none
  return change;
}

void put_item_state(std::string& reply, const ItemState& state) {
  put_u64(reply, state.unique);
  put_varint(reply, state.deadline_ms);
  put_varint(reply, state.old_deadline_ms);
  put_varint(reply, state.size);
  put_varint(reply, state.written_ms);
  put_u32(reply, state.flags);
  put_u8(reply, state.marks);
  put_u8(reply, static_cast<uint8_t>((state.won ? kWon : 0) | (state.created ? kCreated : 0)));
  reply.append(state.value);
}

ItemState get_item_state(std::string_view reply) {
  ByteReader reader(reply);
  ItemState state;
  state.unique = reader.u64();
  state.deadline_ms = reader.varint();
  state.old_deadline_ms = reader.varint();
  state.size = reader.varint();
  state.written_ms = reader.varint();
  state.flags = reader.u32();
  state.marks = reader.u8();
  const uint8_t bits = reader.u8();
  state.won = bits & kWon;
  state.created = bits & kCreated;
  state.value = reader.rest();
  return state;
}

ItemState item_state(const InlineVector<cluster::Version, 1>& visible) {
  const cluster::Version& version = visible[0];
  ItemState state;
  state.unique = cas_unique(visible);
  state.deadline_ms = state.old_deadline_ms = version.deadline_ms;
  state.size = version.bytes.size();
  state.flags = version.flags;
  state.marks = version.marks;
  state.value = version.bytes;
  state.written_ms = version.dot.hlc.ms();
  return state;
}

uint64_t new_origin(NodeFacts& facts) { return facts.random() | 1; }

void plan_item_edit(const ItemEdit& edit, NodeFacts& facts, Plan& plan) {
  cluster::Request& request = plan.edit(edit.key, edit.code, edit.finish);
  request.argument = plan.argument;
  request.value = edit.value;
  request.origin = new_origin(facts);
}

// set, add, replace, append and prepend.
EditOutput edit_item_store(const EditInput& input, std::string& scratch) {
  ByteReader reader(input.argument);
  const ItemChange change = get_item_change(reader);
  if (input.visible.empty()) return store_missing(input, change, scratch);
  const bool differs = change.compares && cas_unique(input.visible) != change.cas;
  switch (change.mode) {
    case StoreMode::kAdd:
      return keep(kCacheNotStored);
    case StoreMode::kAppend:
    case StoreMode::kPrepend:
      return differs && change.cas != 0 ? keep(kCacheExists) : join(input, change, scratch);
    case StoreMode::kSet:
    case StoreMode::kReplace:
      break;
  }
  EditOutput output = new_value(input.value, change.flags, change.deadline_ms);
  if (differs) {
    if (!change.invalidates || !is_older(change.cas, input)) return keep(kCacheExists);
    output.deadline_ms = input.visible[0].deadline_ms;
    output.marks = kMarkStale | (input.visible[0].marks & kMarkClaimed);
  }
  return store_new(input, change, output, scratch);
}

// incr and decr, which wrap at 64 bits and stop at 0.
EditOutput edit_item_count(const EditInput& input, std::string& scratch) {
  ByteReader reader(input.argument);
  const ItemChange change = get_item_change(reader);
  ItemState state;
  if (input.visible.empty()) {
    if (!change.creates) return keep(kCacheNotFound);
    write_count(change.initial, 0, scratch);
    EditOutput output = new_value(scratch, change.flags, change.created_deadline_ms);
    state.created = true;
    name_output(input, change, output, state);
    const std::string text(output.bytes);
    state.value = text;
    return answer_state(output, kCacheStored, state, scratch);
  }
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  const cluster::Version& old = input.visible[0];
  if (old.bytes.empty()) return reject(kMemcachedNotANumber);
  const bool differs = change.compares && change.cas != 0;
  if (differs && cas_unique(input.visible) != change.cas) return keep(kCacheExists);
  const std::optional<uint64_t> before = protocol::parse_lax_uint64(old.bytes);
  if (!before) return reject(kMemcachedNotANumber);
  const uint64_t number =
      change.counts_down ? *before - std::min(*before, change.delta) : *before + change.delta;
  write_count(number, old.bytes.size(), scratch);
  output = store_in_place(input, scratch);
  // Written over the old one it stays what it was; a longer one is a new item.
  if (output.bytes.size() == old.bytes.size()) output.marks = kept_marks(input);
  if (change.sets_deadline) output.deadline_ms = change.deadline_ms;
  state = item_state(input.visible);
  name_output(input, change, output, state);
  const std::string text(output.bytes.substr(0, output.bytes.find(' ')));
  state.value = text;
  output = answer_state(output, kCacheStored, state, scratch);
  output.reply_number = static_cast<int64_t>(number);
  return output;
}

EditOutput edit_item_remove(const EditInput& input, std::string& scratch) {
  ByteReader reader(input.argument);
  const ItemChange change = get_item_change(reader);
  if (input.visible.empty()) return keep(kCacheNotFound);
  if (change.compares && cas_unique(input.visible) != change.cas) return keep(kCacheExists);
  if (!change.invalidates && !change.drops_value) {
    EditOutput output = store_tombstone(0);
    output.reply_code = kCacheStored;
    return output;
  }
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  ItemChange made = change;
  if (change.drops_value) {
    // memcached puts a new item there, of which only the unique stays.
    output = new_value({}, change.flags, change.deadline_ms);
    if (!change.invalidates && change.name == 0) made.name = cas_unique(input.visible);
  } else {
    output = store_in_place(input, input.visible[0].bytes);
  }
  if (change.invalidates) output.marks = kMarkStale;
  if (change.invalidates && change.sets_deadline) output.deadline_ms = change.deadline_ms;
  return store_new(input, made, output, scratch);
}

// mg that may write: a new deadline, a first value, or the word that this client writes it anew.
EditOutput edit_item_fetch(const EditInput& input, std::string& scratch) {
  ByteReader reader(input.argument);
  const ItemChange change = get_item_change(reader);
  if (input.visible.empty()) {
    if (!change.creates) return keep(kCacheNotFound);
    EditOutput output = new_value({}, 0, change.created_deadline_ms);
    output.marks = kMarkClaimed;
    ItemState state;
    name_output(input, change, output, state);
    state.written_ms = input.now_ms;
    state.created = state.won = true;
    return answer_state(output, kCacheStored, state, scratch);
  }
  ItemState state = item_state(input.visible);
  if (!change.wants_value) state.value = {};
  if (change.sets_deadline) state.deadline_ms = change.deadline_ms;
  const bool claimed = state.marks & kMarkClaimed;
  const uint64_t judged_ms = change.touches_first ? state.deadline_ms : state.old_deadline_ms;
  const bool ends_soon = change.recaches && judged_ms != 0 && judged_ms < change.recache_ms;
  state.won = !claimed && (ends_soon || (state.marks & kMarkStale));
  EditOutput output;
  if (state.won || state.deadline_ms != state.old_deadline_ms) {
    if (is_conflict(input, scratch, &output)) return output;
    output = store_in_place(input, input.visible[0].bytes);
    output.deadline_ms = state.deadline_ms;
    output.keep_origin = true;
    output.marks = state.won ? kMarkClaimed : 0;
  }
  return answer_state(output, kCacheStored, state, scratch);
}

}  // namespace kvorum::server
