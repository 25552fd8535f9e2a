// SPDX-License-Identifier: Apache-2.0
#include "server/pubsub/pub_sub_hub.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "protocol/glob.h"

namespace kvorum::server {
namespace {

size_t index_of(SubscriptionKind kind) { return static_cast<size_t>(kind); }

uint64_t sum_of(const std::vector<uint32_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

}  // namespace

PubSubHub::PubSubHub(uint32_t reactors) : reactors_(reactors), mailboxes_(reactors) {
  KVORUM_CHECK(reactors_ > 0);
}

void PubSubHub::add(SubscriptionKind kind, std::string_view name, uint32_t reactor) {
  KVORUM_CHECK(reactor < reactors_);
  const MutexLock lock(lock_);
  ByName<Counts>& of_kind = names_[index_of(kind)];
  auto found = of_kind.find(name);
  if (found == of_kind.end()) found = of_kind.emplace(name, Counts(reactors_)).first;
  ++found->second[reactor];
  subscriptions_.fetch_add(1, std::memory_order_acq_rel);
}

void PubSubHub::remove(SubscriptionKind kind, std::string_view name, uint32_t reactor) {
  const MutexLock lock(lock_);
  ByName<Counts>& of_kind = names_[index_of(kind)];
  const auto found = of_kind.find(name);
  KVORUM_CHECK(found != of_kind.end() && found->second[reactor] > 0);
  --found->second[reactor];
  if (sum_of(found->second) == 0) of_kind.erase(found);
  subscriptions_.fetch_sub(1, std::memory_order_acq_rel);
}

uint64_t PubSubHub::others_of(const Message& message, uint32_t self,
                              std::vector<uint32_t>* reactors) {
  reactors->clear();
  uint64_t heard = 0;
  const auto add = [&](const Counts& counts) {
    for (uint32_t reactor = 0; reactor < reactors_; ++reactor) {
      if (reactor == self || counts[reactor] == 0) continue;
      heard += counts[reactor];
      if (std::find(reactors->begin(), reactors->end(), reactor) == reactors->end()) {
        reactors->push_back(reactor);
      }
    }
  };
  const MutexLock lock(lock_);
  const SubscriptionKind kind =
      message.is_sharded ? SubscriptionKind::kShardChannel : SubscriptionKind::kChannel;
  const ByName<Counts>& channels = names_[index_of(kind)];
  if (const auto found = channels.find(message.channel); found != channels.end()) {
    add(found->second);
  }
  if (message.is_sharded) return heard;
  for (const auto& [pattern, counts] : names_[index_of(SubscriptionKind::kPattern)]) {
    if (protocol::glob_matches(pattern, message.channel)) add(counts);
  }
  return heard;
}

void PubSubHub::post(uint32_t reactor, const std::shared_ptr<const KeptMessage>& message) {
  Mailbox& box = mailboxes_[reactor];
  bool is_first = false;
  {
    const MutexLock lock(box.lock);
    if (box.bytes + message->bytes() > kMailBytesMax && !box.mail.empty()) {
      counters.dropped_in.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    is_first = box.mail.empty();
    box.mail.push_back(message);
    box.bytes += message->bytes();
  }
  if (is_first && on_mail) on_mail(reactor);
}

void PubSubHub::take(uint32_t reactor, KeptMessages* mail) {
  KVORUM_CHECK(mail->empty());
  Mailbox& box = mailboxes_[reactor];
  const MutexLock lock(box.lock);
  mail->swap(box.mail);
  box.bytes = 0;
}

std::vector<std::string> PubSubHub::names(SubscriptionKind kind) const {
  std::vector<std::string> names;
  {
    const MutexLock lock(lock_);
    for (const auto& [name, counts] : names_[index_of(kind)]) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

uint64_t PubSubHub::subscribers(SubscriptionKind kind, std::string_view name) const {
  const MutexLock lock(lock_);
  const ByName<Counts>& of_kind = names_[index_of(kind)];
  const auto found = of_kind.find(name);
  return found == of_kind.end() ? 0 : sum_of(found->second);
}

PubSubStatus PubSubHub::status() const {
  PubSubStatus status;
  status.channels = name_count(SubscriptionKind::kChannel);
  status.patterns = name_count(SubscriptionKind::kPattern);
  status.shard_channels = name_count(SubscriptionKind::kShardChannel);
  status.clients = clients.load(std::memory_order_relaxed);
  status.published = counters.published.load(std::memory_order_relaxed);
  status.from_peers = counters.from_peers.load(std::memory_order_relaxed);
  status.delivered = counters.delivered.load(std::memory_order_relaxed);
  status.dropped = counters.dropped_out.load(std::memory_order_relaxed) +
                   counters.dropped_in.load(std::memory_order_relaxed);
  status.overruns = counters.overruns.load(std::memory_order_relaxed);
  return status;
}

uint64_t PubSubHub::name_count(SubscriptionKind kind) const {
  const MutexLock lock(lock_);
  return names_[index_of(kind)].size();
}

}  // namespace kvorum::server
