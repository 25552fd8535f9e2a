// SPDX-License-Identifier: Apache-2.0
#include "server/script/script_library.h"

namespace kvorum::server {
namespace {

size_t bytes_of(const ScriptBody& body) { return body.text.size() + body.code.size(); }

}  // namespace

std::shared_ptr<const ScriptBody> ScriptLibrary::get(std::string_view sha) const {
  const MutexLock lock(mutex_);
  const auto found = bodies_.find(sha);
  return found == bodies_.end() ? nullptr : found->second;
}

void ScriptLibrary::add(std::shared_ptr<const ScriptBody> body) {
  const MutexLock lock(mutex_);
  if (!bodies_.emplace(body->sha, body).second) return;
  bytes_ += bytes_of(*body);
  order_.push_back(std::move(body));
  while (order_.size() > 1 && (order_.size() > kScriptsMax || bytes_ > kBytesMax)) {
    bytes_ -= bytes_of(*order_.front());
    bodies_.erase(order_.front()->sha);
    order_.pop_front();
  }
}

size_t ScriptLibrary::count() const {
  const MutexLock lock(mutex_);
  return order_.size();
}

size_t ScriptLibrary::bytes() const {
  const MutexLock lock(mutex_);
  return bytes_;
}

bool ScriptLibrary::find(std::string_view name, std::string* text) {
  const std::shared_ptr<const ScriptBody> body = get(name);
  if (body) *text = body->text;
  return body != nullptr;
}

void ScriptLibrary::drop_all() {
  const MutexLock lock(mutex_);
  bodies_.clear();
  order_.clear();
  bytes_ = 0;
}

}  // namespace kvorum::server
