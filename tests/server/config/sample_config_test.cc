// SPDX-License-Identifier: Apache-2.0
// The files that people start from (conf/, docker/) must be right, and must tell the truth about
// the defaults.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "server/config/config.h"

namespace kvorum::server {
namespace {

// Tests run in the build directory or at the top: the samples are in a folder above.
std::filesystem::path top() {
  auto folder = std::filesystem::current_path();
  while (!std::filesystem::exists(folder / "conf" / "one-node.yaml") && folder.has_relative_path())
    folder = folder.parent_path();
  return folder;
}

ConfigReport load(const std::string& sample, const std::string& name) {
  Overrides overrides;
  if (!name.empty()) overrides.name = name;
  return load_config_file((top() / sample).string(), overrides);
}

TEST(SampleConfig, EverySampleIsRightForEachOfItsNodes) {
  for (const char* sample : {"conf/three-nodes.yaml", "conf/cart.yaml", "conf/session.yaml",
                             "conf/catalogue.yaml", "conf/cache.yaml", "docker/three-nodes.yaml"}) {
    for (const char* name : {"a", "b", "c"}) {
      const ConfigReport report = load(sample, name);
      EXPECT_TRUE(report.ok()) << report.to_text();
      EXPECT_EQ(report.config.cluster.founders.size(), 3u);
      EXPECT_TRUE(report.config.is_founder());
    }
  }
  for (const char* sample : {"conf/one-node.yaml", "docker/one-node.yaml"}) {
    const ConfigReport report = load(sample, "");
    EXPECT_TRUE(report.ok()) << report.to_text();
    EXPECT_TRUE(report.choices.empty());
  }
}

TEST(SampleConfig, OneNodeShowsTheDefaults) {
  const ConfigReport defaults = load_config("", "defaults");
  ASSERT_TRUE(defaults.ok()) << defaults.to_text();
  Config sample = load("conf/one-node.yaml", "").config;
  // What a sample shows by example has no default to be equal to.
  sample.node.rack = defaults.config.node.rack;
  sample.node.zone = defaults.config.node.zone;
  ASSERT_EQ(sample.cluster.founders.size(), 1u);
  sample.cluster.founders[0].member = defaults.config.cluster.founders[0].member;
  sample.cluster.founders[0].data_directory = defaults.config.cluster.founders[0].data_directory;
  EXPECT_EQ(show_config(sample), show_config(defaults.config));
}

TEST(SampleConfig, TheCacheNeverShowsSiblings) {
  const ConfigReport cache = load("conf/cache.yaml", "a");
  EXPECT_EQ(cache.config.engine.type, EngineType::kMemory);
  EXPECT_EQ(cache.config.engine.eviction, engine::EvictionPolicy::kAllLru);
  for (const auto& keyspace : cache.config.keyspaces) {
    EXPECT_EQ(keyspace.conflicts, cluster::ConflictPolicy::kLww);
  }
}

}  // namespace
}  // namespace kvorum::server
