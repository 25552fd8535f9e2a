// SPDX-License-Identifier: Apache-2.0
#include "server/greeting.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <cstring>

#include "base/bytes.h"

namespace kvorum::server {
namespace {

using cluster::Frame;
using cluster::FrameWriter;
using cluster::MessageType;

void put_nonce(std::string& out, const Nonce& nonce) {
  put_u64(out, nonce[0]);
  put_u64(out, nonce[1]);
}

Nonce get_nonce(ByteReader& reader) {
  const uint64_t first = reader.u64();
  return {first, reader.u64()};
}

uint64_t proof_of(std::string_view whose, const MacKey& key, const Hello& hello,
                  const Welcome& welcome) {
  std::string text(whose);
  put_nonce(text, hello.nonce);
  put_nonce(text, welcome.nonce);
  put_u64(text, hello.node_id);
  put_u64(text, welcome.node_id);
  put_u64(text, hello.cluster_id);
  return siphash(key, text);
}

}  // namespace

MacKey derive_key(std::string_view purpose, std::string_view secret, uint64_t cluster_id) {
  std::string text = "kvorum ";
  put_bytes(text, purpose);
  put_u8(text, secret.empty() ? 0 : 1);
  if (secret.empty()) {
    put_u64(text, cluster_id);
  } else {
    text.append(secret);
  }
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  MacKey key;
  std::memcpy(key.data(), digest, sizeof key);
  return key;
}

Hello make_hello(const PeerIdentity& self, std::string_view wanted_name, const Nonce& nonce) {
  Hello hello;
  hello.cluster_id = self.cluster_id;
  hello.cluster_name = self.cluster_name;
  hello.node_id = self.node_id;
  hello.node_name = self.node_name;
  hello.incarnation = self.incarnation;
  hello.view_hash = self.view_hash;
  hello.wanted_name = wanted_name;
  hello.nonce = nonce;
  return hello;
}

void put_hello(std::string& batch, const Hello& hello) {
  FrameWriter frame(batch, {MessageType::kHello});
  std::string& out = frame.out();
  put_u32(out, kGreetingMagic);
  put_u16(out, hello.version);
  put_u64(out, hello.cluster_id);
  put_bytes(out, hello.cluster_name);
  put_u64(out, hello.node_id);
  put_bytes(out, hello.node_name);
  put_u64(out, hello.incarnation);
  put_u64(out, hello.view_hash);
  put_bytes(out, hello.wanted_name);
  put_nonce(out, hello.nonce);
  frame.finish();
}

bool parse_hello(const Frame& frame, Hello* hello) {
  if (frame.head.type != MessageType::kHello || frame.head.flags != 0) return false;
  ByteReader reader(frame.payload);
  if (reader.u32() != kGreetingMagic) return false;
  hello->version = reader.u16();
  if (!reader.ok()) return false;
  if (hello->version != cluster::kProtocolVersion) return true;
  hello->cluster_id = reader.u64();
  hello->cluster_name = reader.bytes();
  hello->node_id = reader.u64();
  hello->node_name = reader.bytes();
  hello->incarnation = reader.u64();
  hello->view_hash = reader.u64();
  hello->wanted_name = reader.bytes();
  hello->nonce = get_nonce(reader);
  return reader.ok() && reader.done();
}

void put_welcome(std::string& batch, const Welcome& welcome) {
  FrameWriter frame(batch, {MessageType::kWelcome});
  std::string& out = frame.out();
  put_u32(out, kGreetingMagic);
  put_u16(out, welcome.version);
  put_bytes(out, welcome.refusal);
  put_u64(out, welcome.node_id);
  put_bytes(out, welcome.node_name);
  put_u64(out, welcome.incarnation);
  put_u64(out, welcome.view_hash);
  put_nonce(out, welcome.nonce);
  put_u64(out, welcome.proof);
  frame.finish();
}

bool parse_welcome(const Frame& frame, Welcome* welcome) {
  if (frame.head.type != MessageType::kWelcome || frame.head.flags != 0) return false;
  ByteReader reader(frame.payload);
  if (reader.u32() != kGreetingMagic) return false;
  welcome->version = reader.u16();
  welcome->refusal = reader.bytes();
  if (!reader.ok()) return false;
  // A refusal is understood whatever the version; the rest only of our own.
  if (welcome->version != cluster::kProtocolVersion) return true;
  welcome->node_id = reader.u64();
  welcome->node_name = reader.bytes();
  welcome->incarnation = reader.u64();
  welcome->view_hash = reader.u64();
  welcome->nonce = get_nonce(reader);
  welcome->proof = reader.u64();
  return reader.ok() && reader.done();
}

void put_proof(std::string& batch, uint64_t proof) {
  FrameWriter frame(batch, {MessageType::kHello, 0, kGreetingProof});
  put_u64(frame.out(), proof);
  frame.finish();
}

bool parse_proof(const Frame& frame, uint64_t* proof) {
  if (frame.head.type != MessageType::kHello || frame.head.flags != kGreetingProof) return false;
  ByteReader reader(frame.payload);
  *proof = reader.u64();
  return reader.ok() && reader.done();
}

void put_greeting_done(std::string& batch, std::string_view refusal) {
  FrameWriter frame(batch, {MessageType::kWelcome, 0, kGreetingDone});
  put_bytes(frame.out(), refusal);
  frame.finish();
}

bool parse_greeting_done(const Frame& frame, std::string* refusal) {
  if (frame.head.type != MessageType::kWelcome || frame.head.flags != kGreetingDone) return false;
  ByteReader reader(frame.payload);
  *refusal = reader.bytes();
  return reader.ok() && reader.done();
}

std::string refusal_of(const Hello& hello, const PeerIdentity& self,
                       const cluster::ClusterView& view) {
  if (hello.version != cluster::kProtocolVersion) {
    return fmt::format(
        "node {} speaks version {} of the peer protocol, you speak {}: upgrade the older binary",
        self.node_name, cluster::kProtocolVersion, hello.version);
  }
  if (hello.cluster_name != self.cluster_name) {
    return fmt::format(
        "node {} belongs to cluster '{}', you belong to '{}': check cluster.name and the peer "
        "addresses in cluster.members",
        self.node_name, self.cluster_name, hello.cluster_name);
  }
  if (hello.cluster_id != self.cluster_id) {
    return fmt::format(
        "node {} founded '{}' from other members, partitions or partitioner (cluster id {:016x}, "
        "yours {:016x}): give every node the same cluster section",
        self.node_name, self.cluster_name, self.cluster_id, hello.cluster_id);
  }
  if (hello.wanted_name != self.node_name) {
    return fmt::format("this is node {}, not {}: check the peer addresses in cluster.members",
                       self.node_name, hello.wanted_name);
  }
  if (hello.node_id == self.node_id) {
    return fmt::format("you call yourself {} too: start every node with a name of its own",
                       self.node_name);
  }
  if (view.find_id(hello.node_id) == cluster::kNoMember) {
    return fmt::format("node {} does not know a member {}: it has to be admitted first",
                       self.node_name, hello.node_name);
  }
  return {};
}

uint64_t acceptor_proof(const MacKey& key, const Hello& hello, const Welcome& welcome) {
  return proof_of("acceptor", key, hello, welcome);
}

uint64_t dialer_proof(const MacKey& key, const Hello& hello, const Welcome& welcome) {
  return proof_of("dialer", key, hello, welcome);
}

}  // namespace kvorum::server
