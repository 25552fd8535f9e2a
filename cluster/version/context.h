// SPDX-License-Identifier: Apache-2.0
// Context tokens: what KV.GET hands out and KV.PUT takes back (paper 4.1, "opaque to the caller").
// Text form: base64url of [format u8][fastest node u64][context][MAC u64]. The MAC is keyed from
// cluster.secret, or without one from the cluster's name, which detects damage but no forgery.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/siphash.h"
#include "base/status.h"
#include "cluster/version/object.h"

namespace kvorum::cluster {

inline constexpr size_t kDetachedDotsMax = 8;

struct Token {
  Context context;
  uint64_t fastest_node = 0;  // the node that answered the read first; 0: none
};

// The binary form inside frames, appended.
void encode_context(const Context& context, std::string& out);
bool decode_context(std::string_view bytes, Context& context);

// The empty context is the empty text.
std::string encode_token(const Token& token, const MacKey& key);
// kInvalid for anything that encode_token() with one of these keys did not make.
Result<Token> decode_token(std::string_view text, std::span<const MacKey> keys);

// The context that a put returns: the one it was given, plus its own dot alone (detached).
Context context_after_put(const Context& given, const Dot& dot);

}  // namespace kvorum::cluster
