// SPDX-License-Identifier: Apache-2.0
#include "server/config/config_keys.h"

#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/server/config/config_fixture.h"

namespace kvorum::server {
namespace {

using ::testing::ElementsAre;

const ConfigRow<Config>& row_of(std::string_view path) {
  for (const ConfigRow<Config>& row : config_keys()) {
    if (row.path == path) return row;
  }
  ADD_FAILURE() << "no row " << path;
  return config_keys().front();
}

std::vector<std::string> parts_of(const std::string& text, const std::string& between) {
  std::vector<std::string> parts;
  size_t at = 0;
  for (size_t end = text.find(between); end != text.npos; end = text.find(between, at)) {
    parts.push_back(text.substr(at, end - at));
    at = end + between.size();
  }
  parts.push_back(text.substr(at));
  return parts;
}

// The table of docs/CONFIGURATION.md: the default of each key.
std::map<std::string, std::string> documented_defaults() {
  std::ifstream file(KVORUM_SOURCE_DIR "/docs/CONFIGURATION.md");
  std::map<std::string, std::string> defaults;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| `")) continue;
    std::erase(line, '`');
    const std::vector<std::string> cells = parts_of(line.substr(2), " | ");
    const std::vector<std::string> keys = parts_of(cells.at(0), ", "),
                                   values = parts_of(cells.at(1), ", ");
    for (size_t i = 0; i < keys.size(); ++i) {
      defaults[keys[i]] = keys.size() == values.size() ? values[i] : cells[1];
    }
  }
  return defaults;
}

TEST(ConfigKeys, EachStandsInTheDocumentationWithItsDefault) {
  const auto documented = documented_defaults();
  const Config defaults = config_of("");
  for (const ConfigRow<Config>& row : config_keys()) {
    if (row.path == "keyspaces") continue;  // documented key by key
    const auto found = documented.find(std::string(row.path));
    ASSERT_NE(found, documented.end()) << row.path;
    const ShownValue shown = row.shown(defaults);
    if (shown.kind != ShownValue::Kind::kWord) continue;
    EXPECT_EQ(found->second, shown.letters) << row.path;
  }
  for (const auto& [path, value] : documented) {
    if (path.find('<') != path.npos || path == "r" || path == "w") continue;
    EXPECT_EQ(row_of(path).path, path);
  }
}

TEST(ConfigKeys, ThoseOfASectionStandTogether) {
  std::set<std::string_view> names;
  for (const std::string_view name : top_names()) EXPECT_TRUE(names.insert(name).second) << name;
  size_t rows = 0;
  for (const std::string_view name : top_names()) rows += keys_of_section(name).size();
  EXPECT_EQ(rows, config_keys().size());
  EXPECT_THAT(names_of<Config>(keys_of_section("log")), ElementsAre("level", "format", "file"));
  EXPECT_THAT(names_of<Config>(keys_of_section("password")), ElementsAre("password"));
  EXPECT_TRUE(keys_of_section("nothing").empty());
}

TEST(ConfigKeys, ARowTakesItsOwnValueAndNoOther) {
  const Config defaults = config_of("");
  const Config other = config_of(
      "limits: {siblings: 7, hints: 2gb}\npassword: one\nlog: {level: debug, file: a.log}\n");
  Config taken = defaults;
  row_of("limits.siblings").copy(other, taken);
  row_of("log.file").copy(other, taken);
  EXPECT_EQ(taken.limits.siblings, 7u);
  EXPECT_EQ(taken.log.file, "a.log");
  EXPECT_EQ(taken.limits.hints_bytes, defaults.limits.hints_bytes);
  EXPECT_EQ(taken.log.level, defaults.log.level);
  EXPECT_TRUE(taken.passwords.empty());
  for (const ConfigRow<Config>& row : config_keys()) {
    EXPECT_TRUE(row.same(other, other)) << row.path;
    Config copied = defaults;
    row.copy(other, copied);
    EXPECT_TRUE(row.same(copied, other)) << row.path;
  }
}

TEST(ConfigKeys, SecretsThatDifferLookTheSameAndAreNot) {
  const Config one = config_of("password: one\ncluster: {secret: aaa}");
  const Config two = config_of("password: two\ncluster: {secret: bbb}");
  size_t secrets = 0;
  for (const ConfigRow<Config>& row : config_keys()) {
    EXPECT_EQ(yaml_text(row.shown(one)), yaml_text(row.shown(two))) << row.path;
    EXPECT_EQ(row.same(one, two), !row.is_secret) << row.path;
    secrets += row.is_secret ? 1 : 0;
  }
  EXPECT_EQ(secrets, 2u);
}

}  // namespace
}  // namespace kvorum::server
