// SPDX-License-Identifier: Apache-2.0
#include "engine/store/body_filing.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "engine/store/store.h"

namespace kvorum::engine {

BodyFiling::BodyFiling(LargeFiles* files) : files_(files), thread_([this] { run(); }) {}

BodyFiling::~BodyFiling() {
  {
    const MutexLock guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

bool BodyFiling::Item::is_same(std::string_view body) const {
  return bytes.data() == body.data() && bytes.size() == body.size() && !owner.expired();
}

bool BodyFiling::Item::is_equal(std::string_view body) const {
  if (bytes.size() != body.size()) return false;
  return share == nullptr ? xxh64(body) == file.checksum : bytes == body;
}

BodyFiling::Items::iterator BodyFiling::find(const std::string& key, State state) {
  const auto [first, end] = items_.equal_range(key);
  const auto item =
      std::find_if(first, end, [state](const auto& each) { return each.second.state == state; });
  return item == end ? items_.end() : item;
}

// An operation that makes its value anew each time comes back with other memory.
BodyFiling::Items::iterator BodyFiling::find(const std::string& key, std::string_view body) {
  const auto [first, end] = items_.equal_range(key);
  const auto same = [body](const auto& each) { return each.second.is_same(body); };
  const auto equal = [body](const auto& each) { return each.second.is_equal(body); };
  auto item = std::find_if(first, end, same);
  if (item == end) item = std::find_if(first, end, equal);
  return item == end ? items_.end() : item;
}

bool BodyFiling::take(const KeyRef& key, const SharedView& body, FileReference* file) {
  const std::string name = store_key(key);
  const MutexLock guard(mutex_);
  const auto item = find(name, body.bytes);
  if (item == items_.end()) {
    items_.emplace(name, Item{.share = body.owner, .bytes = body.bytes});
    wake_.notify_one();
    return false;
  }
  if (item->second.state != State::kFiled) return false;
  KVORUM_CHECK(item->second.file.exists() && item->second.file.bytes == body.bytes.size());
  *file = item->second.file;
  items_.erase(item);
  return true;
}

bool BodyFiling::awaits_file(const KeyRef& key) {
  const MutexLock guard(mutex_);
  return !items_.empty() && find(store_key(key), State::kWaiting) != items_.end();
}

Status BodyFiling::write_waiting(const KeyRef& key) {
  const std::string name = store_key(key);
  const MutexLock guard(mutex_);
  for (;;) {
    if (const auto item = find(name, State::kWaiting); item != items_.end()) {
      if (Status status = write(item); !status.ok()) return status;
    } else if (find(name, State::kWriting) != items_.end()) {
      written_.wait(mutex_);  // another thread writes it
    } else {
      return {};
    }
  }
}

Status BodyFiling::write(Items::iterator item) {
  KVORUM_CHECK(item->second.state == State::kWaiting && item->second.share != nullptr);
  item->second.state = State::kWriting;
  const std::string_view body = item->second.bytes;
  mutex_.unlock();
  const Result<FileReference> file = files_->write(body);
  mutex_.lock();
  KVORUM_CHECK(item->second.state == State::kWriting);  // nobody else touches it meanwhile
  if (file.ok()) {
    item->second.share.reset();
    item->second.file = file.value();
    item->second.state = State::kFiled;
    item->second.since = Clock::now();
  } else {
    items_.erase(item);
  }
  written_.notify_all();
  return file.status();
}

void BodyFiling::part_with(const FileReference& file, uint64_t ticket) {
  KVORUM_CHECK(file.exists() && ticket != 0);
  const MutexLock guard(mutex_);
  parted_.emplace_back(ticket, file.id);
}

void BodyFiling::note_synced(uint64_t ticket) {
  const MutexLock guard(mutex_);
  const size_t before = due_.size();
  const auto is_due = [ticket](const auto& parted) { return parted.first <= ticket; };
  for (const auto& parted : parted_) {
    if (is_due(parted)) due_.push_back(parted.second);
  }
  std::erase_if(parted_, is_due);
  if (due_.size() > before) wake_.notify_one();
}

Status BodyFiling::remove_all_but(const std::vector<uint64_t>& ids) const {
  KVORUM_DEBUG_CHECK(std::is_sorted(ids.begin(), ids.end()));
  const Result<std::vector<uint64_t>> found = files_->ids();
  if (!found.ok()) return found.status();
  for (const uint64_t id : found.value()) {
    if (!std::binary_search(ids.begin(), ids.end(), id)) files_->remove(id);
  }
  return {};
}

void BodyFiling::forget_since(Clock::time_point time) {
  const MutexLock guard(mutex_);
  forget(time);
  wake_.notify_one();
}

void BodyFiling::forget(Clock::time_point time) {
  const auto is_old = [time](const auto& each) {
    return each.second.state != State::kWriting && each.second.since <= time;
  };
  for (const auto& each : items_) {
    if (is_old(each) && each.second.state == State::kFiled) due_.push_back(each.second.file.id);
  }
  std::erase_if(items_, is_old);
}

void BodyFiling::remove_due() {
  std::vector<uint64_t> due;
  due.swap(due_);
  mutex_.unlock();
  for (const uint64_t id : due) files_->remove(id);
  mutex_.lock();
}

void BodyFiling::run() {
  const MutexLock guard(mutex_);
  while (!stopping_ || !due_.empty()) {
    if (!due_.empty()) {
      remove_due();
    } else if (items_.empty()) {
      wake_.wait(mutex_);
    } else {
      wake_.wait_until(mutex_, Clock::now() + kWaitMax / 4);
    }
    forget(Clock::now() - kWaitMax);
  }
}

}  // namespace kvorum::engine
