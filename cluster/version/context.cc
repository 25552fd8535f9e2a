// SPDX-License-Identifier: Apache-2.0
#include "cluster/version/context.h"

#include <optional>

#include "base/base64url.h"
#include "base/bytes.h"
#include "base/check.h"

namespace kvorum::cluster {
namespace {

constexpr uint8_t kTokenFormat = 1;
constexpr size_t kMacBytes = 8;
constexpr size_t kDotBytes = 32;
constexpr size_t kTokenTextBytesMax = 64 * 1024;

void put_dot(std::string& out, const Actor& actor, Hlc hlc) {
  put_u64(out, actor.node);
  put_u64(out, actor.incarnation);
  put_u64(out, actor.birth.value);
  put_u64(out, hlc.value);
}

Dot get_dot(ByteReader& reader) {
  Dot dot;
  dot.actor.node = reader.u64();
  dot.actor.incarnation = reader.u64();
  dot.actor.birth.value = reader.u64();
  dot.hlc.value = reader.u64();
  return dot;
}

// All are tried, whichever fits: the time tells nothing.
bool is_mac_of(uint64_t mac, std::string_view text, std::span<const MacKey> keys) {
  bool fits = false;
  for (const MacKey& key : keys) fits |= siphash(key, text) == mac;
  return fits;
}

Status damaged() { return Status(Code::kInvalid, "invalid or damaged context"); }

}  // namespace

void encode_context(const Context& context, std::string& out) {
  KVORUM_CHECK(context.detached.size() <= kDetachedDotsMax);  // else no reader takes it
  put_varint(out, context.vector.size());
  for (const VectorEntry& entry : context.vector) put_dot(out, entry.actor, entry.hlc);
  put_varint(out, context.detached.size());
  for (const Dot& dot : context.detached) put_dot(out, dot.actor, dot.hlc);
}

bool decode_context(std::string_view bytes, Context& context) {
  context = {};
  ByteReader reader(bytes);
  const uint64_t entries = reader.varint();
  if (entries > reader.rest().size() / kDotBytes) return false;
  for (uint64_t n = 0; n < entries; ++n) {
    const Dot dot = get_dot(reader);
    context.vector.raise(dot.actor, dot.hlc);
  }
  const uint64_t detached = reader.varint();
  if (detached > kDetachedDotsMax) return false;
  for (uint64_t n = 0; n < detached; ++n) context.detached.push_back(get_dot(reader));
  return reader.ok() && reader.done();
}

std::string encode_token(const Token& token, const MacKey& key) {
  if (token.context.empty()) return {};
  std::string bytes;
  put_u8(bytes, kTokenFormat);
  put_u64(bytes, token.fastest_node);
  encode_context(token.context, bytes);
  put_u64(bytes, siphash(key, bytes));
  return base64url_encode(bytes);
}

Result<Token> decode_token(std::string_view text, std::span<const MacKey> keys) {
  KVORUM_CHECK(!keys.empty());  // else no token at all would be taken
  if (text.empty()) return Token{};
  if (text.size() > kTokenTextBytesMax) return damaged();
  const std::optional<std::string> bytes = base64url_decode(text);
  if (!bytes || bytes->size() <= kMacBytes) return damaged();
  const std::string_view signed_part(bytes->data(), bytes->size() - kMacBytes);
  ByteReader mac_reader(std::string_view(*bytes).substr(signed_part.size()));
  if (!is_mac_of(mac_reader.u64(), signed_part, keys)) return damaged();

  ByteReader reader(signed_part);
  if (reader.u8() != kTokenFormat) return damaged();
  Token token;
  token.fastest_node = reader.u64();
  if (!reader.ok() || !decode_context(reader.rest(), token.context)) return damaged();
  return token;
}

Context context_after_put(const Context& given, const Dot& dot) {
  Context after = given;
  while (after.detached.size() >= kDetachedDotsMax) after.detached.erase_at(0);
  after.detached.push_back(dot);
  return after;
}

}  // namespace kvorum::cluster
