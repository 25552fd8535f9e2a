// SPDX-License-Identifier: Apache-2.0
#include "server/clients/session.h"

#include <algorithm>

#include "server/clients/sessions.h"

namespace kvorum::server {

Session::Session(Sessions& home, TcpSocket socket, const ConversationOptions& options)
    : home_(home), stream_(std::move(socket), home.share(), *this) {
  stream_.set_keepalive(home.rules().keepalive_seconds);
  conversation_.emplace(home.dispatcher(), options);
  conversation_->set_wake(
      [](void* owner) {
        auto* const session = static_cast<Session*>(owner);
        session->home_.mark(*session);
      },
      this);
  conversation_->set_input_share(
      [](void* owner, std::string_view part) {
        return static_cast<Session*>(owner)->stream_.share_input(part);
      },
      this);
}

Session::~Session() = default;

size_t Session::on_input(std::string_view bytes) {
  size_t taken = 0;
  while (taken < bytes.size() && !conversation_->blocked() && !conversation_->closing() &&
         !home_.turn_is_full()) {
    const size_t step = conversation_->consume(bytes.substr(taken), home_.clock().now());
    if (step == 0) break;
    taken += step;
  }
  const bool waits = conversation_->blocked() || home_.turn_is_full();
  if (draining_ && taken == 0 && !waits) drained_ = true;
  held_back_ = taken < bytes.size() && waits;
  if (taken > 0) home_.received(*this);
  home_.mark(*this);
  return conversation_->closing() ? bytes.size() : taken;
}

size_t Session::input_hint() const { return conversation_ ? conversation_->more_hint() : 0; }

bool Session::wants_input() const {
  if (draining_ || !conversation_ || conversation_->closing()) return false;
  if (!conversation_->blocked()) return may_receive();
  // What is blocked for another reason than its client goes on by itself.
  return stream_.sending() && stream_.kept_bytes() < home_.share().in_flight.part();
}

// Of a request that is not whole; small ones always.
bool Session::may_receive() const {
  const size_t kept = stream_.kept_bytes();
  return kept <= InFlightShare::kFloorBytes || home_.may_receive(*this, kept);
}

bool Session::on_end() {
  home_.mark(*this);
  return true;
}

void Session::flush() {
  if (conversation_->overrun()) [[unlikely]]
    return home_.close_overrun(*this);
  if (conversation_->killed()) [[unlikely]] {
    stream_.close();
    return home_.retire(*this);
  }
  while (stream_.is_open()) {
    if (!stream_.sending() && conversation_->has_large_output()) [[unlikely]] {
      LargeReply reply = conversation_->take_large_output();
      stream_.send(reply.before, std::move(reply.body));
      continue;
    }
    if (!stream_.sending() && !conversation_->output().empty()) {
      stream_.send(conversation_->output());
      continue;
    }
    conversation_->set_buffers(stream_.kept_bytes(), stream_.unsent_bytes());
    const bool goes_on = drains_input() || (held_back_ && !conversation_->blocked());
    if (goes_on && home_.turn_is_full()) {
      home_.mark(*this);
      break;
    }
    if (!goes_on && (stream_.waits_to_read() || !wants_input())) break;
    held_back_ = false;
    const size_t kept = stream_.kept_bytes();
    stream_.resume();
    if (stream_.ended() && stream_.kept_bytes() == kept) break;  // the rest is no whole request
  }
  if (!stream_.is_open()) return;
  const bool done = !conversation_->has_pending() && !stream_.sending() &&
                    !conversation_->has_output() && !drains_input();
  const bool ended = stream_.ended() && !held_back_;
  if (done && (conversation_->closing() || draining_ || ended)) {
    stream_.close();
    home_.retire(*this);
  }
}

bool Session::drains_input() const {
  return draining_ && !drained_ && stream_.kept_bytes() != 0 && !conversation_->blocked() &&
         !conversation_->closing();
}

bool Session::is_full() const {
  const uint64_t bytes_max = home_.rules().client_output_max_bytes;
  return bytes_max != 0 && state().buffers.output_bytes > bytes_max && !state().subscriptions.any();
}

bool Session::is_stuck(uint64_t now_us) {
  const uint64_t acknowledged = stream_.sending() ? stream_.acknowledged_bytes() : 0;
  const bool first_look = took_at_us_ == 0;
  if (first_look || !stream_.sending() || acknowledged != acknowledged_bytes_) {
    acknowledged_bytes_ = acknowledged;
    took_at_us_ = now_us;
    return false;
  }
  const SessionRules& rules = home_.rules();
  if (now_us - took_at_us_ < rules.client_output_wait_us || rules.client_output_bytes == 0) {
    return false;
  }
  return state().buffers.output_bytes >= rules.client_output_bytes || conversation_->blocked();
}

bool Session::is_silent_receiver(uint64_t now_us) {
  if (!home_.receives_alone(*this) || stream_.kept_bytes() != received_bytes_) {
    received_bytes_ = stream_.kept_bytes();
    received_at_us_ = now_us;
    return false;
  }
  return now_us - received_at_us_ >= home_.rules().client_silence_us;
}

bool Session::is_idle(uint64_t now_us) {
  const uint64_t idle_us = home_.rules().client_idle_us;
  if (idle_us == 0) return false;
  const bool busy = conversation_->has_pending() || stream_.sending() ||
                    stream_.kept_bytes() != idle_kept_bytes_ || state().subscriptions.any();
  idle_kept_bytes_ = stream_.kept_bytes();
  if (busy) busy_at_us_ = now_us;
  return now_us - std::max({busy_at_us_, state().last_active_us, state().started_us}) >= idle_us;
}

void Session::drain() {
  draining_ = true;
  stream_.read_last();
  home_.mark(*this);
}

void Session::on_sent() { home_.mark(*this); }

void Session::on_broken(const error_code&) { home_.retire(*this); }

}  // namespace kvorum::server
