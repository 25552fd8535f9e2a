// SPDX-License-Identifier: Apache-2.0
#include "server/session.h"

#include "server/sessions.h"

namespace kvorum::server {

Session::Session(Sessions& home, TcpSocket socket, const ConversationOptions& options)
    : home_(home), stream_(std::move(socket), home.share(), *this) {
  conversation_.emplace(home.dispatcher(), options);
  conversation_->set_wake(
      [](void* owner) {
        auto* const session = static_cast<Session*>(owner);
        session->home_.mark(*session);
      },
      this);
}

Session::~Session() = default;

size_t Session::on_input(std::string_view bytes) {
  size_t taken = 0;
  while (taken < bytes.size() && !conversation_->blocked() && !conversation_->closing()) {
    const size_t step = conversation_->consume(bytes.substr(taken), home_.clock().now());
    if (step == 0) break;
    taken += step;
  }
  if (draining_ && taken == 0 && !conversation_->blocked()) drained_ = true;
  home_.mark(*this);
  return conversation_->closing() ? bytes.size() : taken;
}

size_t Session::input_hint() const { return conversation_ ? conversation_->more_hint() : 0; }

bool Session::wants_input() const {
  return !draining_ && conversation_ && !conversation_->blocked() && !conversation_->closing() &&
         stream_.unsent_bytes() <= home_.pipeline_bytes_max();
}

bool Session::on_end() {
  home_.mark(*this);
  return true;
}

void Session::flush() {
  while (stream_.is_open()) {
    if (!stream_.sending() && !conversation_->output().empty()) {
      stream_.send(conversation_->output());
      continue;
    }
    if (stream_.waits_to_read() || !(wants_input() || drains_input())) break;
    const size_t kept = stream_.kept_bytes();
    stream_.resume();
    if (stream_.ended() && stream_.kept_bytes() == kept) break;  // the rest is no whole request
  }
  if (!stream_.is_open()) return;
  const bool done = !conversation_->has_pending() && !stream_.sending() &&
                    conversation_->output().empty() && !drains_input();
  if (done && (conversation_->closing() || draining_ || stream_.ended())) {
    stream_.close();
    home_.retire(*this);
  }
}

bool Session::drains_input() const {
  return draining_ && !drained_ && stream_.kept_bytes() != 0 && !conversation_->blocked() &&
         !conversation_->closing();
}

void Session::drain() {
  draining_ = true;
  stream_.read_last();
  home_.mark(*this);
}

void Session::on_sent() { home_.mark(*this); }

void Session::on_broken(const error_code&) { home_.retire(*this); }

}  // namespace kvorum::server
