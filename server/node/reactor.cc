// SPDX-License-Identifier: Apache-2.0
#include "server/node/reactor.h"

#include <pthread.h>

#include <algorithm>

#include "base/turn_wakes.h"
#include "cluster/own/scan_page.h"
#include "server/process/logging.h"
#include "server/script/script_counts.h"

namespace kvorum::server {
namespace {

cluster::CoordinatorOptions coordinator_options(const Config& config, SlotPart reactor) {
  cluster::CoordinatorOptions options;
  options.request_timeout_ms = static_cast<uint32_t>(config.limits.request_timeout_ms);
  options.read_repair_wait_ms = static_cast<uint32_t>(config.timing.read_repair_wait_ms);
  options.hints_interval_ms = static_cast<uint32_t>(config.timing.hints_ms);
  options.gossip_ms = static_cast<uint32_t>(config.timing.gossip_ms);
  options.anti_entropy_ms = static_cast<uint32_t>(config.timing.anti_entropy_ms);
  options.scrub_ms = config.timing.scrub_ms;
  options.value_bytes_max = config.limits.value_bytes;
  options.siblings_max = config.limits.siblings;
  options.clock_entries_max = config.limits.clock_entries_max;
  options.buffers_writes = config.engine.sync == engine::SyncPolicy::kBuffered;
  options.has_control = reactor.number == 0;
  options.reactor = reactor;
  return options;
}

uint64_t steady_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// An operation is over by then: what it asked is answered no more.
uint64_t linger_us(const Config& config) {
  constexpr uint64_t kMoreMs = 2'000;
  return (config.limits.request_timeout_ms + kMoreMs) * 1000;
}

SubscriberLimits subscriber_limits(const LimitsConfig& limits) {
  const auto or_none = [](uint64_t bytes) { return bytes == 0 ? UINT64_MAX : bytes; };
  return {or_none(limits.subscriber_output_bytes), or_none(limits.subscriber_behind_bytes),
          std::max(limits.subscriber_behind_ms, SessionRules::kWaitMsMin) * 1000};
}

thread_local const Reactor* reactor_of_this_thread = nullptr;

}  // namespace

Reactor::Reactor(const ReactorParts& parts, uint32_t index, uint64_t rng_seed)
    : parts_(parts),
      index_(index),
      clock_(parts.config->clock_offset_ms),
      in_flight_(*parts.in_flight),
      pacer_(*parts.large_pace, clock_),
      client_share_(loop_.polls(), in_flight_, &pacer_),
      peer_share_(&client_share_),
      coordinator_(parts.node, parts.view,
                   coordinator_options(*parts.config, {index, parts.reactors}), rng_seed),
      dispatcher_(coordinator_, parts.node, *parts.services, dispatcher_options()),
      sessions_(dispatcher_, client_share_, clock_, *parts.clients),
      links_({&loop_.io(), parts.identity, parts.view, &coordinator_, &clock_, &peer_share_,
              parts.board, parts.admission, rng_seed ^ 0x6b766f72756d, index, parts.strangers_max,
              linger_us(*parts.config), &dispatcher_.pub_sub(), &dispatcher_.tracking()}) {
  sessions_.set_rules(session_rules(*parts.config));
  dispatcher_.pub_sub().set_messenger(&links_);
  dispatcher_.tracking().set_messenger(&links_);
  publish();
}

Reactor::~Reactor() { stop(); }

DispatcherOptions Reactor::dispatcher_options() {
  DispatcherOptions options;
  options.scripts = parts_.scripts;
  options.logbook = parts_.logbook;
  options.in_flight = &in_flight_;
  options.passwords = parts_.config->passwords;
  options.token_keys = parts_.identity->keys.token;
  options.pipeline_bytes_max = parts_.config->limits.pipeline_bytes;
  options.value_bytes_max = parts_.config->limits.value_bytes;
  options.item_bytes_max = parts_.config->limits.item_bytes;
  options.value_warn_bytes = parts_.config->limits.value_warn_bytes;
  options.first_client_id = index_ + 1;
  options.client_id_step = parts_.reactors;
  options.steady_ns = steady_ns;
  options.others = this;
  options.long_work = this;
  options.pub_sub.hub = parts_.pub_sub;
  options.pub_sub.reactor = index_;
  options.tracking.hub = parts_.tracking;
  options.tracking.reactor = index_;
  options.pub_sub.limits = subscriber_limits(parts_.config->limits);
  return options;
}

void Reactor::add_listener(Dialect dialect, ListeningSocket socket) {
  client_acceptors_.push_back(std::make_unique<Acceptor>(
      loop_, std::move(socket), *parts_.accept_failures,
      [this, dialect](TcpSocket connection) { sessions_.adopt(std::move(connection), dialect); }));
}

void Reactor::add_peer_listener(ListeningSocket socket) {
  peer_acceptors_.push_back(std::make_unique<Acceptor>(
      loop_, std::move(socket), *parts_.accept_failures,
      [this](TcpSocket connection) { links_.adopt(std::move(connection)); }));
}

void Reactor::ask_each(const Ask& ask, const Tell& tell) {
  for (Reactor* const other : others_) {
    other->loop_.post([this, other, ask, tell] {
      const std::string said = ask(other->dispatcher_.facts());
      loop_.post([tell, said] { tell(said); });
    });
  }
}

bool Reactor::do_elsewhere(std::shared_ptr<EndableWork> work, std::function<void()> done) {
  return parts_.long_work->add(std::move(work),
                               [this, done = std::move(done)] { loop_.post(done); });
}

void Reactor::start() {
  ScriptCounts::set_clock(steady_ns);
  loop_.post([this] {
    for (const auto& acceptor : peer_acceptors_) acceptor->start();
    const Now now = clock_.now();
    join_until_us_ = now.steady_us + kJoinUs;
    coordinator_.set_coordination(cluster::Coordination::kHandsBack, now);
    // One that waits asks to be let in: once, not once per reactor.
    if (parts_.view->is_member() || index_ == 0) links_.start();
  });
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), ("reactor-" + std::to_string(index_)).c_str());
}

void Reactor::run() {
  reactor_of_this_thread = this;
  const TurnWakes wakes;
  while (!stopping_) run_turn();
  close_everything();
}

void Reactor::run_turn() {
  const uint64_t seen = loop_.polls().seen();
  loop_.wait(links_.is_connecting());
  gather_inputs(seen);
  end_turn();
}

// Looking for more inputs costs a system call when there are none: a reactor whose turns were lone
// ones lately looks only now and then.
void Reactor::gather_inputs(uint64_t seen_before) {
  if (clock_.just_woke()) return gather_after_pause();
  const auto seen = [&] { return loop_.polls().seen() - seen_before; };
  const bool lone = seen() <= 1;
  if (lone && lone_turns_ >= kLoneTurnsMax && turns_ % kLookEveryTurns != 0) return;
  bool more = false;
  const uint64_t full_at = bytes_moved() + kBytesPerTurnMax;
  while (seen() < kInputsPerTurnMax && bytes_moved() < full_at && loop_.polls().poll(0) != 0)
    more = true;
  lone_turns_ = lone && !more ? lone_turns_ + 1 : 0;
}

// What came before and during a pause answers operations that would otherwise be timed out now.
void Reactor::gather_after_pause() {
  if (index_ == 0 && clock_.paused_us() >= kPauseToldUs) {
    log_warning("this process stood still for {} ms", clock_.paused_us() / 1000);
  }
  for (size_t steps = 0; steps < kAsioStepsAfterPauseMax && links_.is_connecting(); ++steps) {
    if (!loop_.step_asio()) break;
  }
  for (size_t inputs = 0; inputs < kInputsAfterPauseMax;) {
    const size_t more = loop_.polls().poll(0);
    if (more == 0) break;
    inputs += more;
  }
}

bool Reactor::has_effects() {
  return !coordinator_.outbox().empty() || sessions_.has_dirty() || dispatcher_.has_work() ||
         links_.can_send_messages();
}

void Reactor::end_turn() {
  look_at_history();
  run_due();
  dispatcher_.tell_gone();
  request_marks();  // a mark that a peer sent has no other effect than this
  TurnWakes::give();
  for (size_t round = 0; round < kRoundsPerTurnMax && has_effects(); ++round) {
    if (dispatcher_.has_work()) dispatcher_.run_due(clock_.now());
    Tracking& tracking = dispatcher_.tracking();
    if (tracking.has_changes()) tracking.tell_all(clock_.now().steady_us);
    start_loads();
    request_marks();
    look_at_history();
    links_.send_messages();
    links_.deliver(coordinator_.outbox());
    sessions_.flush();
  }
  links_.post_mail();
  TurnWakes::give();
  if (has_effects()) loop_.go_on();  // the rest belongs to the next turn
  sessions_.reap();
  links_.reap();
  if (!joined_) look_at_joining();
  if (quiescing_) look_at_stopping();
  coordinator_.give_back_scratch();
  if (coordinator_.make_room()) loop_.go_on();
  dispatcher_.count_held();
  in_flight_.tell();
  arm_timer();
  ++turns_;
  tell_pace();
  publish();
  clock_.end_turn(loop_.timer_us());
}

void Reactor::tell_pace() {
  const cluster::CoordinatorCounters& counted = coordinator_.counters();
  const uint64_t served =
      dispatcher_.counters().commands + counted.replica_reads + counted.replica_writes;
  if (served != served_) parts_.large_pace->served(served - served_, clock_.now().steady_us);
  served_ = served;
}

void Reactor::run_due() {
  const Now now = clock_.now();
  parts_.node.table->set_minute(now.steady_us / 60'000'000);
  pacer_.on_time(now.steady_us);
  links_.on_time(now.steady_us);
  sessions_.on_time(now.steady_us);
  for (const auto& acceptor : client_acceptors_) acceptor->on_time(now.steady_us);
  for (const auto& acceptor : peer_acceptors_) acceptor->on_time(now.steady_us);
  const uint64_t deadline = coordinator_.next_deadline_us();
  if (deadline != 0 && deadline <= now.steady_us) coordinator_.on_time(now);
  const uint64_t scheduled = dispatcher_.next_deadline_us();
  if (scheduled != 0 && scheduled <= now.steady_us) dispatcher_.run_due(now);
  dispatcher_.tracking().on_turn(now.steady_us);
}

// Frames of this turn, or another reactor, may have brought a later view.
void Reactor::look_at_history() {
  coordinator_.look_at_history(clock_.now());
  if (&coordinator_.view() == links_.parts().view.get()) return;
  links_.publish(coordinator_.shared_view());
  dispatcher_.tracking().on_view(clock_.now().steady_us);
}

void Reactor::request_marks() {
  const uint64_t generation = parts_.node.marks->generation();
  if (generation == marks_requested_ || generation == parts_.node.marks->stored()) return;
  marks_requested_ = generation;
  store_marks_();
}

void Reactor::wake() {
  loop_.post([] {});
}

void Reactor::look_at_time() {
  loop_.post([this] { coordinator_.on_time(clock_.now()); });
}

void Reactor::apply(std::shared_ptr<const Config> config) {
  if (reactor_of_this_thread == this) return take(*config);
  loop_.post([this, config] { take(*config); });
}

void Reactor::take(const Config& config) {
  const LimitsConfig& limits = config.limits;
  coordinator_.set_limits(coordinator_options(config, {index_, parts_.reactors}));
  dispatcher_.set_limits({config.passwords, limits.pipeline_bytes, limits.value_warn_bytes});
  dispatcher_.pub_sub().set_limits(subscriber_limits(limits));
  sessions_.set_rules(session_rules(config));
}

void Reactor::repair(const cluster::RepairWish& wish) {
  loop_.post([this, wish] { coordinator_.repair(wish, clock_.now()); });
}

// A timer that fires too early only looks again, so it is moved forward, never back: operations
// that end in time do not touch it. It beats also where nothing is due, to notice a pause.
void Reactor::arm_timer() {
  uint64_t wanted = coordinator_.next_deadline_us();
  const uint64_t links = links_.next_deadline_us();
  if (wanted == 0 || (links != 0 && links < wanted)) wanted = links;
  const uint64_t scheduled = dispatcher_.next_deadline_us();
  if (wanted == 0 || (scheduled != 0 && scheduled < wanted)) wanted = scheduled;
  const uint64_t paced = pacer_.next_due_us();
  if (wanted == 0 || (paced != 0 && paced < wanted)) wanted = paced;
  if (!joined_ && join_until_us_ != 0 && (wanted == 0 || join_until_us_ < wanted))
    wanted = join_until_us_;
  const uint64_t beat = clock_.now().steady_us + TurnClock::kBeatUs;
  if (wanted == 0 || beat < wanted) wanted = beat;
  if (loop_.timer_us() == 0 || wanted < loop_.timer_us()) loop_.set_timer(wanted);
}

void Reactor::start_loads() {
  cluster::Outbox& outbox = coordinator_.outbox();
  for (cluster::Load& load : outbox.loads) start_load(std::move(load));
  outbox.loads.clear();
  for (const cluster::RangeLoad& load : outbox.range_loads) start_range_load(load);
  outbox.range_loads.clear();
  if (!outbox.quarantined.empty()) {
    parts_.quarantine->add(outbox.quarantined);
    outbox.quarantined.clear();
  }
}

void Reactor::start_load(cluster::Load load) {
  KVORUM_CHECK(committer_ != nullptr);
  const bool writes = parts_.node.table->store_reader().awaits_file(load.ref());
  auto work = [this, load = std::move(load)] {
    const bool ok = parts_.node.table->store_reader().load(load.ref()).ok();
    loop_.post([this, ok, operation = load.operation] {
      coordinator_.on_loaded(operation, ok, clock_.now());
    });
  };
  if (writes) {
    committer_->run_on_file_thread(std::move(work));
  } else {
    committer_->run_on_store_thread(std::move(work));
  }
}

void Reactor::start_range_load(const cluster::RangeLoad& load) {
  KVORUM_CHECK(committer_ != nullptr);
  committer_->run_on_store_thread([this, load] {
    auto page =
        std::make_shared<const cluster::ScanPage>(cluster::read_stored_page(parts_.node, load));
    loop_.post([this, page, operation = load.operation] {
      coordinator_.on_scanned(operation, *page, clock_.now());
    });
  });
}

void Reactor::on_round(Committed table, engine::Ticket ticket, bool ok) {
  {
    const MutexLock lock(round_lock_);
    Round& round = rounds_[static_cast<size_t>(table)];
    round.ticket = ticket;
    round.failed = round.failed || !ok;
    round.ended = true;
    if (rounds_posted_) return;
    rounds_posted_ = true;
  }
  loop_.post([this] { deliver_rounds(); });
}

void Reactor::deliver_rounds() {
  std::array<Round, 2> ended;
  {
    const MutexLock lock(round_lock_);
    ended = std::exchange(rounds_, {});
    rounds_posted_ = false;
  }
  const auto& [objects, hints] = ended;
  if (objects.ended) coordinator_.on_committed(objects.ticket, !objects.failed, clock_.now());
  if (hints.ended) coordinator_.on_hints_committed(hints.ticket, !hints.failed, clock_.now());
}

// Clients are let in, and edits coordinated, once the peers are linked in both directions: who asks
// earlier would be told that there are too few replicas, and two nodes would coordinate one key. A
// peer that cannot be reached is not waited for, and one that stands still not for long.
void Reactor::look_at_joining() {
  if (join_until_us_ == 0) return;  // not started yet
  if (parts_.admission->begins_anew()) return;
  const Now now = clock_.now();
  if (parts_.view->is_member() && !links_.joined() && now.steady_us < join_until_us_) return;
  joined_ = true;
  if (quiescing_) return;
  coordinator_.set_coordination(cluster::Coordination::kRuns, now);
  for (const auto& acceptor : client_acceptors_) acceptor->start();
}

void Reactor::on_greeted(cluster::MemberIndex member) {
  loop_.post([this, member] { links_.on_greeted(member); });
}

void Reactor::on_link_mail() {
  loop_.post([this] { links_.take_mail(); });
}

void Reactor::on_messages() {
  loop_.post([this] { dispatcher_.pub_sub().take_mail(clock_.now().steady_us); });
}

void Reactor::on_tracking_mail() {
  loop_.post([this] { dispatcher_.take_tracking_mail(clock_.now().steady_us); });
}

void Reactor::quiesce() {
  loop_.post([this] {
    quiescing_ = true;
    for (const auto& acceptor : client_acceptors_) acceptor->stop();
    coordinator_.set_coordination(cluster::Coordination::kHolds, clock_.now());
    sessions_.drain();
  });
}

void Reactor::leave() {
  loop_.post([this] {
    leaving_ = true;
    for (const auto& acceptor : peer_acceptors_) acceptor->stop();
    coordinator_.set_coordination(cluster::Coordination::kHandsBack, clock_.now());
    coordinator_.flush_hints(clock_.now());
    links_.say_stopping();
  });
}

void Reactor::look_at_stopping() {
  if (!quiet_ && coordinator_.unfinished_edits() == 0)
    quiet_.store(true, std::memory_order_release);
  if (!leaving_ || drained_ || has_effects()) return;
  const bool done = sessions_.size() == 0 && links_.all_know() && coordinator_.unfinished() == 0 &&
                    coordinator_.hints_in_reach(clock_.now()) == 0;
  if (done) drained_.store(true, std::memory_order_release);
}

void Reactor::stop() {
  if (!thread_.joinable()) return;
  loop_.post([this] { stopping_ = true; });
  thread_.join();
}

// Handlers in flight name what they belong to, so each must have run before that goes.
void Reactor::close_everything() {
  for (const auto& acceptor : client_acceptors_) acceptor->stop();
  for (const auto& acceptor : peer_acceptors_) acceptor->stop();
  loop_.stop();
  links_.close_all();
  sessions_.close_all();
  while (!sessions_.settled() || !links_.settled()) {
    if (!loop_.finish_one()) break;
    sessions_.reap();
    links_.reap();
  }
}

void Reactor::publish() {
  const MutexLock lock(published_lock_);
  published_.coordinator = coordinator_.counters();
  published_.dispatcher = dispatcher_.counters();
  published_.peers = links_.counters();
  published_.client_bytes_in = client_share_.bytes_in;
  published_.client_bytes_out = client_share_.bytes_out;
  published_.peer_bytes_in = peer_share_.bytes_in;
  published_.peer_bytes_out = peer_share_.bytes_out;
  published_.turns = turns_;
  published_.sessions = sessions_.size();
  published_.joined = joined_;
  if (index_ == 0) published_.repair = coordinator_.repair_progress();
  publish_peers();
}

// States at once, latencies and counts now and then, and what clients hold.
void Reactor::publish_peers() {
  const uint64_t now_us = clock_.now().steady_us;
  const uint64_t generation = coordinator_.peers_generation();
  if (links_.troubles_generation() != troubles_published_) {
    troubles_published_ = links_.troubles_generation();
    published_.link_troubles = links_.troubles();
  }
  if (generation == peers_published_ && now_us < publish_peers_at_us_) return;
  peers_published_ = generation;
  publish_peers_at_us_ = now_us + kPublishPeersUs;
  published_.client_memory = sessions_.memory();
  published_.peers_seen.resize(coordinator_.view().members.size());
  for (size_t i = 0; i < published_.peers_seen.size(); ++i) {
    published_.peers_seen[i] = coordinator_.peer_report(static_cast<cluster::MemberIndex>(i));
  }
  published_.peer_clocks.resize(published_.peers_seen.size());
  for (size_t i = 0; i < published_.peer_clocks.size(); ++i) {
    published_.peer_clocks[i] = links_.peer_clock(static_cast<cluster::MemberIndex>(i));
  }
}

ReactorSnapshot Reactor::snapshot() const {
  const MutexLock lock(published_lock_);
  return published_;
}

}  // namespace kvorum::server
