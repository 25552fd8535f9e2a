// SPDX-License-Identifier: Apache-2.0
// The greeting at the start of a peer link: who is there, do both belong to the same cluster, do
// both know its secret. Four frames, two of each type, before any other frame is looked at:
//
//   dialer                                   acceptor
//     kHello  version, who, nonce    ---->     refuses with a reason, or
//             checks the proof       <----     kWelcome  who, nonce, proof of the secret
//     kHello  (kGreetingProof) proof ---->     refuses with a reason, or
//             the link is up         <----     kWelcome  (kGreetingDone)
//
// A proof is a MAC over both nonces and both node ids, with a word that says whose it is, keyed
// from cluster.secret (without one: from the cluster id, which then proves only what was said
// anyway). Pure: bytes in, bytes out.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/siphash.h"
#include "cluster/cluster_view.h"
#include "cluster/messages.h"

namespace kvorum::server {

inline constexpr uint32_t kGreetingMagic = 0x4d55564b;  // "KVUM"
inline constexpr size_t kGreetingBytesMax = 4096;
inline constexpr uint16_t kGreetingProof = 1 << 0;  // flag of the dialer's second kHello
inline constexpr uint16_t kGreetingDone = 1 << 0;   // flag of the acceptor's second kWelcome

using Nonce = std::array<uint64_t, 2>;

// This node, as it introduces itself. Shared by all links of a node.
struct PeerIdentity {
  uint64_t cluster_id = 0;
  std::string cluster_name;
  cluster::NodeId node_id = 0;
  std::string node_name;
  uint64_t incarnation = 0;
  uint64_t view_hash = 0;
  MacKey key{};  // derive_key("peer", ...)
};

struct Hello {
  uint16_t version = cluster::kProtocolVersion;
  uint64_t cluster_id = 0;
  std::string cluster_name;
  cluster::NodeId node_id = 0;
  std::string node_name;
  uint64_t incarnation = 0;
  uint64_t view_hash = 0;
  std::string wanted_name;  // whom the dialer believes to have reached
  Nonce nonce{};
};

struct Welcome {
  std::string refusal;  // empty: welcome
  uint16_t version = cluster::kProtocolVersion;
  cluster::NodeId node_id = 0;
  std::string node_name;
  uint64_t incarnation = 0;
  uint64_t view_hash = 0;
  Nonce nonce{};
  uint64_t proof = 0;
};

// A MAC key for one purpose from the cluster's secret, or without one from its id.
MacKey derive_key(std::string_view purpose, std::string_view secret, uint64_t cluster_id);

Hello make_hello(const PeerIdentity& self, std::string_view wanted_name, const Nonce& nonce);
void put_hello(std::string& batch, const Hello& hello);
// False where the bytes are no hello of any version. Of another version only `version` is read.
bool parse_hello(const cluster::Frame& frame, Hello* hello);

void put_welcome(std::string& batch, const Welcome& welcome);
bool parse_welcome(const cluster::Frame& frame, Welcome* welcome);

void put_proof(std::string& batch, uint64_t proof);
bool parse_proof(const cluster::Frame& frame, uint64_t* proof);
void put_greeting_done(std::string& batch, std::string_view refusal);
bool parse_greeting_done(const cluster::Frame& frame, std::string* refusal);

// Why a dialer is not let in, naming the difference and the remedy; empty: it is a member of ours.
std::string refusal_of(const Hello& hello, const PeerIdentity& self,
                       const cluster::ClusterView& view);

uint64_t acceptor_proof(const MacKey& key, const Hello& hello, const Welcome& welcome);
uint64_t dialer_proof(const MacKey& key, const Hello& hello, const Welcome& welcome);

}  // namespace kvorum::server
