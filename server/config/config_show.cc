// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "server/config/config.h"
#include "server/config/config_keys.h"
#include "server/config/config_kinds.h"

namespace kvorum::server {

std::string_view sync_text(engine::SyncPolicy sync) { return name_of(kSyncPolicies, sync); }
std::string_view partitioner_text(Partitioner partitioner) {
  return name_of(kPartitioners, partitioner);
}

std::string show_config(const Config& config) {
  ShownValue shown = ShownValue::map();
  for (const std::string_view name : top_names()) {
    const auto keys = keys_of_section(name);
    // While the name must still be chosen: addresses and data directory depend on it.
    if (config.node.name.empty() && (name == "node" || name == "listen")) continue;
    if (keys.front().section().empty()) {
      shown.add(ShownValue::word(name), keys.front().shown(config));
      continue;
    }
    // What may be left out stands behind what is always there.
    std::vector<ConfigRow<Config>> rows(keys.begin(), keys.end());
    std::stable_partition(rows.begin(), rows.end(),
                          [](const ConfigRow<Config>& row) { return !row.may_be_left_out; });
    ShownValue section = ShownValue::map();
    show_rows<Config>(rows, config, &section);
    if (!section.names.empty()) shown.add(ShownValue::word(name), std::move(section));
  }
  return yaml_text(shown) + "\n";
}

}  // namespace kvorum::server
