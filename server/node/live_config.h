// SPDX-License-Identifier: Apache-2.0
// How two configurations differ, and what of a new one a node takes while it runs: the table of
// keys says which can change (server/config/config_keys.h). The functions are pure. Whoever acts on
// a key that becomes changeable takes the new value in Node::reload().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "server/config/config.h"

namespace kvorum::server {

struct ConfigChange {
  std::string key;       // limits.clients
  std::string from, to;  // as the file would say it; secrets masked
  bool live = false;     // else it needs a restart

  bool operator==(const ConfigChange&) const = default;
};

// What may be evicted is fixed when a node starts: one that could not evict then (`may_evict` is
// false) does not begin with it; one that could may be told otherwise, and back.
bool could_evict(const Config& at_start);

std::vector<ConfigChange> config_changes(const Config& running, const Config& fresh,
                                         bool may_evict);

// `running` with what of `fresh` can change.
Config with_live_part(const Config& running, const Config& fresh, bool may_evict);

// The configuration that holds now. Any thread.
class LiveConfig {
 public:
  explicit LiveConfig(const Config& at_start)
      : may_evict_(could_evict(at_start)), in_force_(std::make_shared<const Config>(at_start)) {}

  std::shared_ptr<const Config> get() const {
    const MutexLock guard(lock_);
    return in_force_;
  }
  // What will hold when what of `fresh` can change is in force; logs that and what cannot. Who puts
  // it in force shows it afterwards: what get() tells is so everywhere. One at a time does both.
  std::shared_ptr<const Config> joined(const Config& fresh) const;
  void show(std::shared_ptr<const Config> in_force) {
    const MutexLock guard(lock_);
    in_force_ = std::move(in_force);
  }

 private:
  const bool may_evict_;
  mutable Mutex lock_;
  std::shared_ptr<const Config> in_force_ KVORUM_GUARDED_BY(lock_);
};

}  // namespace kvorum::server
