// SPDX-License-Identifier: Apache-2.0
// Redis's names of what a node has, and which of it CONFIG SET may change while the node runs. What
// belongs to the configuration is changed there, as a file that is read again does
// (NodeServices::change_config); the rest in the logbook and at the desk of messages. What has no
// meaning here stands in server/logbook/idle_settings.h. Constants.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "server/commands/command.h"
#include "server/config/config.h"

namespace kvorum::server {

// What values are made of. Its status is looked up for all of them once.
class ParameterSource {
 public:
  explicit ParameterSource(NodeFacts& facts);
  NodeFacts& facts() const { return facts_; }
  const Config& config() const { return *config_; }
  const NodeStatus& status() {
    if (!status_) status_ = facts_.status();
    return *status_;
  }

 private:
  NodeFacts& facts_;
  std::shared_ptr<const Config> config_;
  std::optional<NodeStatus> status_;
};

// A value for a parameter.
struct Wish {
  NodeFacts& facts;
  std::string_view value;
  bool set = false;  // else it is looked at alone
};

struct Parameter {
  std::string_view name;
  std::string (*value)(ParameterSource& source);
  // Why it cannot be set to that. Of the configuration, whose draft is changed:
  std::string (*change)(const Wish& wish, Config& draft) = nullptr;
  // of something else. Both null: the YAML file decides.
  std::string (*set)(const Wish& wish) = nullptr;
};

// About in the order of their names.
std::span<const Parameter> parameters();
// In any case of letters; null where it is none of them.
const Parameter* find_parameter(std::string_view name);

}  // namespace kvorum::server
