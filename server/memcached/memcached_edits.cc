// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "server/commands/edits.h"
#include "server/memcached/item_edits.h"
#include "server/memcached/memcached_commands.h"
#include "server/memcached/memcached_replies.h"

namespace kvorum::server {
namespace {

EditOutput store_value(const EditInput& input, const ValueOptions& options) {
  EditOutput output;
  output.verdict = EditOutput::Verdict::kStore;
  output.flags = options.flags;
  output.deadline_ms = options.deadline_ms;
  output.bytes = input.value;
  output.reply_code = kCacheStored;
  return output;
}

}  // namespace

EditOutput edit_cache_add(const EditInput& input, std::string&) {
  ByteReader reader(input.argument);
  const ValueOptions options = get_value_options(reader);
  return input.visible.empty() ? store_value(input, options) : keep(kCacheNotStored);
}

EditOutput edit_cache_replace(const EditInput& input, std::string&) {
  ByteReader reader(input.argument);
  const ValueOptions options = get_value_options(reader);
  return input.visible.empty() ? keep(kCacheNotStored) : store_value(input, options);
}

// append and prepend. Argument: 1 for prepend, then how large the item may become; an older node
// says no limit. Flags and deadline of the old value stay.
EditOutput edit_cache_join(const EditInput& input, std::string& scratch) {
  ByteReader reader(input.argument);
  const bool prepends = reader.u8() != 0;
  const uint64_t item_bytes_max = reader.done() ? UINT64_MAX : reader.varint();
  if (input.visible.empty()) return keep(kCacheNotStored);
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  const std::string_view old = input.visible[0].bytes;
  if (old.size() + input.value.size() > input.value_bytes_max) {
    return reject("SERVER_ERROR object too large for cache");
  }
  if (joins_to_too_much(input, item_bytes_max)) return keep(kCacheNotStored);
  scratch.assign(prepends ? input.value : old).append(prepends ? old : input.value);
  output = store_in_place(input, scratch);
  output.reply_code = kCacheStored;
  return output;
}

// Argument: the cas unique that the client read, then the value's options. Siblings that it read
// are all replaced.
EditOutput edit_cache_cas(const EditInput& input, std::string&) {
  ByteReader reader(input.argument);
  const uint64_t unique = reader.u64();
  const ValueOptions options = get_value_options(reader);
  if (input.visible.empty()) return keep(kCacheNotFound);
  if (cas_unique(input.visible) != unique) return keep(kCacheExists);
  return store_value(input, options);
}

// incr and decr. Argument: 1 for decr, then the delta. incr wraps at 64 bits, decr stops at 0.
EditOutput edit_cache_count(const EditInput& input, std::string& scratch) {
  ByteReader reader(input.argument);
  const bool down = reader.u8() != 0;
  const uint64_t delta = reader.u64();
  if (input.visible.empty()) return keep(kCacheNotFound);
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  const std::optional<uint64_t> old = protocol::parse_lax_uint64(input.visible[0].bytes);
  if (!old) return reject(kMemcachedNotANumber);
  const uint64_t number = down ? *old - std::min(*old, delta) : *old + delta;
  scratch.clear();
  protocol::append_uint64(scratch, number);
  const size_t digits = scratch.size();
  // memcached writes over the old text where it fits, and blanks over what is left of it.
  if (digits < input.visible[0].bytes.size()) scratch.resize(input.visible[0].bytes.size(), ' ');
  output = store_in_place(input, scratch);
  if (scratch.size() == input.visible[0].bytes.size()) output.marks = kept_marks(input);
  output.reply_code = kCacheStored;
  output.has_reply_bytes = true;
  output.reply_bytes = std::string_view(scratch).substr(0, digits);
  return output;
}

// touch, and gat with its value. Argument: the new deadline, and 1 where the value is wanted. The
// reply is then flags, the cas unique (which stays) and the value.
EditOutput edit_cache_touch(const EditInput& input, std::string& scratch) {
  ByteReader reader(input.argument);
  const uint64_t deadline_ms = reader.varint();
  const bool wants_value = reader.u8() != 0;
  if (input.visible.empty()) return keep(kCacheNotFound);
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  const cluster::Version& version = input.visible[0];
  output.reply_code = kCacheUnchanged;
  if (version.deadline_ms != deadline_ms) {
    output = store_in_place(input, version.bytes);
    output.deadline_ms = deadline_ms;
    output.keep_origin = true;
    output.reply_code = kCacheStored;
  }
  if (!wants_value) return output;
  scratch.clear();
  put_u32(scratch, version.flags);
  put_u64(scratch, cas_unique(input.visible));
  scratch.append(version.bytes);
  output.has_reply_bytes = true;
  output.reply_bytes = scratch;
  return output;
}

}  // namespace kvorum::server
