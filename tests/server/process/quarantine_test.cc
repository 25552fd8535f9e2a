// SPDX-License-Identifier: Apache-2.0
#include "server/process/quarantine.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace kvorum::server {
namespace {

cluster::Quarantined dead(const std::string& key, const std::string& bytes) {
  return {key, 3, Hlc::from_ms(1'700'000'000'123), 0xabc, bytes};
}

TEST(Quarantine, ALineIsJsonWhateverTheBytes) {
  EXPECT_EQ(quarantine_line(dead("k\n\"", std::string("\0v", 2))),
            R"({"db":3,"key":"awoi","value":"AHY","written_ms":1700000000123,)"
            R"("node":"0000000000000abc"})");
}

TEST(Quarantine, LinesAreAppendedAndCounted) {
  const std::filesystem::path path =
      std::filesystem::path(testing::TempDir()) / "kvorum-quarantine-test.jsonl";
  std::filesystem::remove(path);
  Quarantine quarantine(path.string());
  quarantine.add({dead("a", "1"), dead("b", "2")});
  quarantine.add({dead("c", "3")});
  quarantine.add({});
  EXPECT_EQ(quarantine.count(), 3u);
  std::ifstream file(path);
  size_t lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  EXPECT_EQ(lines, 3u);
  std::filesystem::remove(path);
}

TEST(Quarantine, WithoutAFileTheyAreCounted) {
  Quarantine quarantine("");
  quarantine.add({dead("a", "1")});
  EXPECT_EQ(quarantine.count(), 1u);
}

}  // namespace
}  // namespace kvorum::server
