// SPDX-License-Identifier: Apache-2.0
#include "server/tracking/tracking_hub.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kvorum::server {

using cluster::MemberIndex;

TrackingHub::TrackingHub(uint32_t reactors)
    : reactors_(reactors), of_(reactors), mailboxes_(reactors) {
  KVORUM_CHECK(reactors_ > 0);
}

void TrackingHub::watch(cluster::NodeParts* parts) {
  marks_ = parts->marks;
  incarnation_ = parts->renewed_incarnation;
  parts->told_changes = &told_changes_;
}

// ---- connections

void TrackingHub::add_client(uint64_t id, const ClientPlace& place) {
  const MutexLock lock(lock_);
  places_[id] = place;
}

void TrackingHub::remove_client(uint64_t id) {
  const MutexLock lock(lock_);
  places_.erase(id);
}

std::optional<ClientPlace> TrackingHub::find_client(uint64_t id) const {
  const MutexLock lock(lock_);
  const auto found = places_.find(id);
  if (found == places_.end()) return std::nullopt;
  return found->second;
}

void TrackingHub::count_tracking(uint32_t reactor, bool more) {
  const uint32_t change = more ? 1 : ~uint32_t{0};
  of_[reactor].tracking.fetch_add(change, std::memory_order_acq_rel);
  more ? tracking_.fetch_add(1, std::memory_order_acq_rel)
       : tracking_.fetch_sub(1, std::memory_order_acq_rel);
  {
    const MutexLock lock(lock_);
    judge();
  }
  ask_for_look();
}

void TrackingHub::count_monitor(uint32_t reactor, bool more) {
  const uint32_t change = more ? 1 : ~uint32_t{0};
  of_[reactor].monitors.fetch_add(change, std::memory_order_acq_rel);
  more ? monitors_.fetch_add(1, std::memory_order_acq_rel)
       : monitors_.fetch_sub(1, std::memory_order_acq_rel);
}

bool TrackingHub::add_watcher(uint32_t reactor, uint8_t streams) {
  const MutexLock lock(lock_);
  if (watchers_.load(std::memory_order_relaxed) >= kWatchersMax) return false;
  watchers_.fetch_add(1, std::memory_order_relaxed);
  of_[reactor].watchers.fetch_add(1, std::memory_order_acq_rel);
  for (size_t i = 0; i < kStreams; ++i) watching_[i] += streams >> i & 1;
  watched_.store(watched_.load(std::memory_order_relaxed) | streams, std::memory_order_release);
  return true;
}

void TrackingHub::remove_watcher(uint32_t reactor, uint8_t streams) {
  const MutexLock lock(lock_);
  watchers_.fetch_sub(1, std::memory_order_relaxed);
  of_[reactor].watchers.fetch_sub(1, std::memory_order_acq_rel);
  uint8_t left = 0;
  for (size_t i = 0; i < kStreams; ++i) {
    watching_[i] -= streams >> i & 1;
    if (watching_[i] != 0) left = static_cast<uint8_t>(left | 1u << i);
  }
  watched_.store(left, std::memory_order_release);
}

void TrackingHub::note_totals(uint32_t reactor, const TrackingStatus& totals) {
  of_[reactor].keys.store(totals.keys, std::memory_order_relaxed);
  of_[reactor].items.store(totals.items, std::memory_order_relaxed);
  of_[reactor].prefixes.store(totals.prefixes, std::memory_order_relaxed);
}

TrackingStatus TrackingHub::status() const {
  TrackingStatus status;
  status.clients = tracking_.load(std::memory_order_relaxed);
  status.monitors = monitors_.load(std::memory_order_relaxed);
  status.watchers = watchers_.load(std::memory_order_relaxed);
  status.lines_made = lines_made_.load(std::memory_order_relaxed);
  status.lines_dropped = lines_dropped_.load(std::memory_order_relaxed);
  status.lines_sent = lines_sent_.load(std::memory_order_relaxed);
  status.lines_skipped = lines_skipped_.load(std::memory_order_relaxed);
  for (const OfReactor& of : of_) {
    status.keys += of.keys.load(std::memory_order_relaxed);
    status.items += of.items.load(std::memory_order_relaxed);
    status.prefixes += of.prefixes.load(std::memory_order_relaxed);
  }
  return status;
}

// Whether changes are told from now on. What happened before is no news to whoever begins now.
void TrackingHub::judge() {
  const bool any =
      tracking_.load(std::memory_order_acquire) != 0 ||
      std::any_of(peers_.begin(), peers_.end(), [](const Peer& each) { return each.interested; });
  if (any && !told_changes_.load(std::memory_order_acquire)) {
    if (marks_ != nullptr) marks_seen_.store(marks_->last_raise());
    if (incarnation_ != nullptr) incarnation_seen_.store(incarnation_->load());
  }
  told_changes_.store(any, std::memory_order_release);
}

// One reactor alone sees each generation.
TrackingHub::News TrackingHub::take_news() {
  News news;
  if (marks_ != nullptr) {
    const uint64_t now = marks_->last_raise();
    uint64_t seen = marks_seen_.load(std::memory_order_acquire);
    while (seen < now && !news.flushed) news.flushed = marks_seen_.compare_exchange_weak(seen, now);
  }
  if (incarnation_ != nullptr) {
    const uint64_t now = incarnation_->load(std::memory_order_acquire);
    news.lost = incarnation_seen_.exchange(now, std::memory_order_acq_rel) != now;
  }
  return news;
}

// ---- other nodes

TrackingHub::Peer& TrackingHub::peer(MemberIndex member) {
  if (member >= peers_.size()) peers_.resize(size_t{member} + 1);
  return peers_[member];
}

bool TrackingHub::set_interested(MemberIndex member, bool on, uint64_t now_us) {
  const MutexLock lock(lock_);
  Peer& of = peer(member);
  const bool was_on = std::exchange(of.interested, on);
  of.interested_until_us = now_us + kForgetUs;
  look_.store(true, std::memory_order_release);
  judge();
  return was_on;
}

bool TrackingHub::is_interested(MemberIndex member) const {
  const MutexLock lock(lock_);
  return member < peers_.size() && peers_[member].interested;
}

void TrackingHub::interested(std::vector<MemberIndex>* members) const {
  members->clear();
  const MutexLock lock(lock_);
  for (size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i].interested) members->push_back(static_cast<MemberIndex>(i));
  }
}

TrackingHub::Coverage TrackingHub::want(uint64_t now_us, MemberIndex* too_old) {
  Coverage coverage = Coverage::kCovered;
  {
    const MutexLock lock(lock_);
    wanted_until_us_ = now_us + kLingerUs;
    for (size_t i = 0; i < peers_.size(); ++i) {
      const Peer& each = peers_[i];
      if (!each.linked) continue;
      if (!each.speaks()) {
        *too_old = static_cast<MemberIndex>(i);
        return Coverage::kTooOld;
      }
      if (!each.covers) coverage = Coverage::kAwaited;
    }
  }
  ask_for_look();
  return coverage;
}

void TrackingHub::on_link(MemberIndex member, bool up, uint16_t version) {
  {
    const MutexLock lock(lock_);
    Peer& of = peer(member);
    of.linked = up;
    of.version = version;
    of.asked = 0;
    of.answered = of.covers = false;
  }
  look_.store(true, std::memory_order_release);
}

void TrackingHub::ask_for_look() {
  look_.store(true, std::memory_order_release);
  if (on_mail) on_mail(0);
}

bool TrackingHub::is_due(const Peer& each, uint64_t now_us) const {
  if (!each.linked || !each.speaks()) return false;
  if (each.asked == 0 || each.asked_on != wanted_) return true;
  if (!each.answered) return now_us >= each.asked_us + kAskAgainUs;
  return wanted_ && now_us >= each.asked_us + kRenewUs;
}

// While a member is linked that cannot tell, clients drop what they have each time.
std::vector<TrackingHub::Question> TrackingHub::look(uint64_t now_us) {
  std::vector<Question> questions;
  bool silent = false;
  look_.store(false, std::memory_order_release);
  {
    const MutexLock lock(lock_);
    if (tracking_.load(std::memory_order_acquire) != 0) wanted_until_us_ = now_us + kLingerUs;
    wanted_ = now_us < wanted_until_us_;
    bool busy = wanted_;
    for (size_t i = 0; i < peers_.size(); ++i) {
      Peer& each = peers_[i];
      each.interested = each.interested && now_us < each.interested_until_us;
      silent = silent || (each.linked && !each.speaks());
      busy = busy || each.interested || (each.linked && each.speaks() && !each.answered);
      if (!is_due(each, now_us)) continue;
      each.covers = each.covers && wanted_;
      each.asked = ++questions_;
      each.asked_us = now_us;
      each.asked_on = wanted_;
      each.answered = false;
      questions.push_back({static_cast<MemberIndex>(i), each.asked, wanted_});
    }
    judge();
    look_at_us_.store(busy ? now_us + kLookUs : UINT64_MAX, std::memory_order_relaxed);
  }
  if (silent) post_gap();
  return questions;
}

void TrackingHub::not_asked(const Question& question) {
  const MutexLock lock(lock_);
  Peer& of = peer(question.member);
  if (of.asked == question.number) of.asked = 0;
}

// One that it was asked to tell of before, and does not know that, may have told nothing since.
bool TrackingHub::on_answer(MemberIndex member, const TrackChangesReply& answer) {
  const MutexLock lock(lock_);
  Peer& of = peer(member);
  if (!of.linked || of.asked != answer.number || of.answered) return false;
  of.answered = true;
  if (!of.asked_on) return false;
  const bool told = std::exchange(of.covers, true) && answer.was_on;
  return !told;
}

// ---- mail

template <class Put>
void TrackingHub::post(uint32_t reactor, Put put) {
  Mailbox& box = mailboxes_[reactor];
  bool is_first = false;
  {
    const MutexLock lock(box.lock);
    is_first = box.mail.empty();
    put(box.mail);
  }
  if (is_first && on_mail) on_mail(reactor);
}

void TrackingHub::post_changes(uint32_t from,
                               const std::shared_ptr<const cluster::ChangedKeys>& changed) {
  size_t bytes = 0;
  for (const cluster::ChangedKey& key : changed->keys) bytes += sizeof key + key.key.size();
  for (uint32_t reactor = 0; reactor < reactors_; ++reactor) {
    if (reactor == from || of_[reactor].tracking.load(std::memory_order_acquire) == 0) continue;
    post(reactor, [&](TrackingMail& mail) {
      if (changed->all || mail.bytes + bytes > kMailBytesMax) {
        mail.gap = true;
      } else {
        mail.changes.push_back(changed);
        mail.bytes += bytes;
      }
    });
  }
}

void TrackingHub::post_gap() {
  for (uint32_t reactor = 0; reactor < reactors_; ++reactor) {
    if (of_[reactor].tracking.load(std::memory_order_acquire) == 0) continue;
    post(reactor, [](TrackingMail& mail) { mail.gap = true; });
  }
}

void TrackingHub::post_flush() {
  for (uint32_t reactor = 0; reactor < reactors_; ++reactor) {
    if (of_[reactor].tracking.load(std::memory_order_acquire) == 0) continue;
    post(reactor, [](TrackingMail& mail) { mail.flush = true; });
  }
}

void TrackingHub::post_redirected(uint32_t to, RedirectedNews news) {
  post(to, [&](TrackingMail& mail) {
    size_t bytes = sizeof news;
    for (const std::string& key : news.keys) bytes += key.size();
    if (mail.bytes + bytes > kMailBytesMax) {
      const auto known = std::any_of(
          mail.redirected.begin(), mail.redirected.end(),
          [&](const auto& each) { return each.slot == news.slot && each.keys.empty(); });
      if (known) return;
      news.keys.clear();
    }
    mail.bytes += bytes;
    mail.redirected.push_back(std::move(news));
  });
}

void TrackingHub::post_line(uint32_t from, const std::shared_ptr<const std::string>& line) {
  for (uint32_t reactor = 0; reactor < reactors_; ++reactor) {
    if (reactor == from || of_[reactor].monitors.load(std::memory_order_acquire) == 0) continue;
    post(reactor, [&](TrackingMail& mail) {
      if (mail.bytes + line->size() > kMailBytesMax) return;
      mail.lines.push_back(line);
      mail.bytes += line->size();
    });
  }
}

void TrackingHub::post_watched(uint32_t from, const WatchedLine& line) {
  for (uint32_t reactor = 0; reactor < reactors_; ++reactor) {
    if (reactor == from || of_[reactor].watchers.load(std::memory_order_acquire) == 0) continue;
    post(reactor, [&](TrackingMail& mail) {
      if (mail.bytes + line.text->size() > kMailBytesMax) {
        lines_dropped_.fetch_add(1, std::memory_order_relaxed);
        return;
      }
      mail.watched.push_back(line);
      mail.bytes += line.text->size();
    });
  }
}

void TrackingHub::take(uint32_t reactor, TrackingMail* mail) {
  KVORUM_CHECK(mail->empty());
  Mailbox& box = mailboxes_[reactor];
  const MutexLock lock(box.lock);
  std::swap(*mail, box.mail);
}

}  // namespace kvorum::server
