// SPDX-License-Identifier: Apache-2.0
#include "server/node/reactor_group.h"

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "base/check.h"
#include "server/process/logging.h"
#include "server/process/random_number.h"
#include "server/script/redis_functions.h"

namespace kvorum::server {
namespace {

using std::chrono::milliseconds;

void await_all(const std::vector<std::unique_ptr<Reactor>>& reactors,
               bool (Reactor::*ready)() const, uint64_t wait_ms) {
  const auto until = std::chrono::steady_clock::now() + milliseconds(wait_ms);
  for (const auto& reactor : reactors) {
    while (!((*reactor).*ready)() && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(milliseconds(1));
    }
  }
}

// redis.log() of scripts. A script could fill the disk: of one second so many lines are written.
void log_script(int level, std::string_view text) {
  constexpr LogLevel kLevels[] = {LogLevel::kDebug, LogLevel::kDebug, LogLevel::kInfo,
                                  LogLevel::kWarn};
  constexpr uint32_t kLinesPerSecond = 100;
  constexpr size_t kBytesMax = 1024;
  static std::atomic<int64_t> second = 0;
  static std::atomic<uint32_t> lines = 0;
  const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(
                          std::chrono::steady_clock::now().time_since_epoch())
                          .count();
  if (second.exchange(now) != now) lines = 0;
  if (lines++ >= kLinesPerSecond || !logs(kLevels[level])) return;
  write_log(kLevels[level], fmt::format("a script says {}", json_text(text.substr(0, kBytesMax))));
}

}  // namespace

ReactorGroup::ReactorGroup(const NodeSelf& self)
    : self_(self),
      in_flight_(self.config.limits.in_flight_bytes),
      board_(self.reactors, self.config.limits.peer_links),
      pub_sub_(self.reactors),
      tracking_(self.reactors) {
  const uint64_t foreground_p99_ms = self.config.limits.foreground_p99_ms;
  if (foreground_p99_ms == 0) return;
  admission_ = std::make_unique<cluster::AdmissionController>(foreground_p99_ms * 1000);
}

void ReactorGroup::build(Build from) {
  set_script_log(log_script);
  KVORUM_CHECK(reactors_.empty());
  identity_ = std::move(from.identity);
  quarantine_ = std::make_unique<Quarantine>(std::move(from.quarantine_file));
  parts_.config = &self_.config;
  parts_.view = self_.view;
  parts_.node = from.node;
  parts_.node.budget = admission_.get();
  parts_.quarantine = quarantine_.get();
  parts_.identity = &identity_;
  parts_.services = from.services;
  parts_.admission = from.admission;
  parts_.clients = &clients_;
  parts_.accept_failures = &accept_failures_;
  parts_.strangers_max = from.strangers_max;
  parts_.board = &board_;
  parts_.in_flight = &in_flight_;
  parts_.large_pace = &large_pace_;
  parts_.scripts = &scripts_;
  logbook_.debug = self_.config.debug_commands;
  parts_.logbook = &logbook_;
  parts_.node.expiry_rests = &logbook_.expiry_rests;
  parts_.node.texts = &scripts_;
  parts_.node.libraries = &scripts_.functions();
  parts_.long_work = &long_work_;
  parts_.pub_sub = &pub_sub_;
  parts_.tracking = &tracking_;
  tracking_.watch(&parts_.node);
  parts_.reactors = self_.reactors;
  board_.on_greeted = [this](cluster::MemberIndex member) {
    for (const auto& reactor : reactors_) reactor->on_greeted(member);
  };
  board_.on_mail = [this](uint32_t reactor) { reactors_[reactor]->on_link_mail(); };
  tracking_.on_mail = [this](uint32_t reactor) { reactors_[reactor]->on_tracking_mail(); };
  pub_sub_.on_mail = [this](uint32_t reactor) { reactors_[reactor]->on_messages(); };
  for (uint32_t i = 0; i < self_.reactors; ++i) {
    reactors_.push_back(std::make_unique<Reactor>(parts_, i, random_number()));
    if (admission_) admission_->watch(&reactors_.back()->latency());
    add_listeners(i, from.sockets);
  }
}

void ReactorGroup::add_listeners(uint32_t index, NodeSockets& sockets) {
  Reactor& reactor = *reactors_[index];
  const auto give = [&](NodeSockets::OfReactors& of_reactors, auto add) {
    if (of_reactors.empty()) return;
    for (ListeningSocket& socket : of_reactors[index]) add(std::move(socket));
  };
  give(sockets.redis,
       [&](ListeningSocket s) { reactor.add_listener(Dialect::kResp, std::move(s)); });
  give(sockets.memcached,
       [&](ListeningSocket s) { reactor.add_listener(Dialect::kMemcached, std::move(s)); });
  give(sockets.peer, [&](ListeningSocket s) { reactor.add_peer_listener(std::move(s)); });
}

void ReactorGroup::start(engine::Committer* committer, const std::function<void()>& store_marks) {
  KVORUM_CHECK(!reactors_.empty());
  for (const auto& reactor : reactors_) {
    std::vector<Reactor*> others;
    for (const auto& other : reactors_) {
      if (other != reactor) others.push_back(other.get());
    }
    reactor->set_others(std::move(others));
  }
  for (const auto& reactor : reactors_) {
    reactor->set_committer(committer);
    reactor->set_store_marks(store_marks);
    reactor->start();
  }
}

void ReactorGroup::quiesce(uint64_t wait_ms) {
  for (const auto& reactor : reactors_) reactor->quiesce();
  await_all(reactors_, &Reactor::quiet, wait_ms);
}

void ReactorGroup::leave(uint64_t wait_ms) {
  for (const auto& reactor : reactors_) reactor->leave();
  await_all(reactors_, &Reactor::drained, wait_ms);
}

void ReactorGroup::stop() {
  long_work_.stop();
  for (const auto& reactor : reactors_) reactor->stop();
}

void ReactorGroup::on_round(Reactor::Committed table, engine::Ticket ticket, bool ok) {
  for (const auto& reactor : reactors_) reactor->on_round(table, ticket, ok);
}

void ReactorGroup::look_at_time() {
  for (const auto& reactor : reactors_) reactor->look_at_time();
}

void ReactorGroup::wake() {
  for (const auto& reactor : reactors_) reactor->wake();
}

void ReactorGroup::apply(const std::shared_ptr<const Config>& config) {
  for (const auto& reactor : reactors_) reactor->apply(config);
}

}  // namespace kvorum::server
