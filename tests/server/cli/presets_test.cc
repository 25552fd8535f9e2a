// SPDX-License-Identifier: Apache-2.0
#include "server/cli/presets.h"

#include <gtest/gtest.h>

#include "server/config/config.h"
#include "server/dev/dev_layout.h"

namespace kvorum::server {
namespace {

// What a preset is about: of a file with three nodes the same as of one.
void expect_same_use(const Config& a, const Config& b) {
  EXPECT_EQ(a.keyspaces, b.keyspaces);
  EXPECT_EQ(a.engine.type, b.engine.type);
  EXPECT_EQ(a.engine.sync, b.engine.sync);
  EXPECT_EQ(a.engine.eviction, b.engine.eviction);
  EXPECT_EQ(a.engine.memory_bytes, b.engine.memory_bytes);
}

TEST(Presets, AreWhatTheirFilesSay) {
  for (const Preset& preset : presets()) {
    const ConfigReport alone = load_config(preset.settings, "", Overrides());
    EXPECT_TRUE(alone.ok()) << alone.to_text();
    const std::string path =
        std::string(KVORUM_SOURCE_DIR "/conf/").append(preset.name).append(".yaml");
    Overrides overrides;
    overrides.name = "a";
    const ConfigReport file = load_config_file(path, overrides);
    EXPECT_TRUE(file.ok()) << file.to_text();
    EXPECT_EQ(file.config.cluster.founders.size(), 3u);
    expect_same_use(alone.config, file.config);
  }
}

TEST(Presets, MayBeThoseOfADevCluster) {
  for (const Preset& preset : presets()) {
    DevLayout layout;
    layout.founders = layout.nodes = dev_nodes(3, 0);
    layout.data_directory = "data";
    layout.settings = preset.settings;
    const ConfigReport dev = load_config(dev_yaml(layout), "", "a");
    EXPECT_TRUE(dev.ok()) << dev.to_text();
    expect_same_use(dev.config, load_config(preset.settings, "", Overrides()).config);
  }
}

// Who takes Kvorum for a cache has never heard of siblings.
TEST(Presets, ACacheShowsNoArray) {
  for (const char* const name : {"cache", "session", "catalogue"}) {
    const Preset* const preset = find_preset(name);
    ASSERT_NE(preset, nullptr);
    for (const auto& keyspace : load_config(preset->settings, "", Overrides()).config.keyspaces) {
      EXPECT_EQ(keyspace.conflicts, cluster::ConflictPolicy::kLww) << name;
    }
  }
}

TEST(Presets, HaveNames) {
  EXPECT_EQ(preset_names(), "cart, session, catalogue or cache");
  EXPECT_EQ(find_preset("other"), nullptr);
}

}  // namespace
}  // namespace kvorum::server
