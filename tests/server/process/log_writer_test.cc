// SPDX-License-Identifier: Apache-2.0
#include "server/process/log_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace kvorum::server {
namespace {

using Clock = std::chrono::steady_clock;

// Standard error is another file while this lives.
class OtherStandardError {
 public:
  explicit OtherStandardError(int descriptor) : saved_(dup(STDERR_FILENO)) {
    dup2(descriptor, STDERR_FILENO);
  }
  ~OtherStandardError() {
    dup2(saved_, STDERR_FILENO);
    close(saved_);
  }

 private:
  int saved_;
};

struct Folder {
  Folder() {
    std::string name = testing::TempDir() + "kvorum-log-XXXXXX";
    path = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

std::string content(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(LogWriter, LinesReachTheFileInOrder) {
  const Folder folder;
  {
    LogWriter writer;
    ASSERT_TRUE(writer.open_file(folder.path + "/log").ok());
    for (int i = 0; i < 1000; ++i) writer.write(std::to_string(i) + "\n");
    writer.flush();
    EXPECT_TRUE(content(folder.path + "/log").ends_with("\n999\n"));
    writer.write("last\n");
  }
  EXPECT_TRUE(content(folder.path + "/log").ends_with("\n999\nlast\n"));
}

TEST(LogWriter, AFileThatWasRenamedIsOpenedAgain) {
  const Folder folder;
  const std::string path = folder.path + "/log", old = folder.path + "/log.1";
  LogWriter writer;
  ASSERT_TRUE(writer.open_file(path).ok());
  writer.write("before\n");
  writer.flush();
  std::filesystem::rename(path, old);
  writer.reopen();
  writer.write("after\n");
  writer.flush();
  EXPECT_EQ(content(old), "before\n");
  EXPECT_EQ(content(path), "after\n");
}

TEST(LogWriter, AFolderThatIsMissingIsAnError) {
  LogWriter writer;
  EXPECT_THAT(writer.open_file("/no/such/folder/log").message(),
              testing::HasSubstr("/no/such/folder/log"));
  EXPECT_FALSE(writer.has_file());
}

TEST(LogWriter, APipeThatNobodyReadsHoldsUpNobodyAndSaysSoLater) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::atomic<int> troubles{0};
  std::string said;
  const auto began = Clock::now();
  {
    const OtherStandardError other(ends[1]);
    LogWriter writer;
    writer.set_on_trouble([&](std::string_view text) {
      said = text;
      ++troubles;
    });
    const std::string line(1000, 'x');
    for (int i = 0; i < 20'000; ++i) writer.write(line + "\n");  // 20 MB
    EXPECT_GT(writer.dropped(), 15'000u);
    EXPECT_LT(Clock::now() - began, std::chrono::seconds(5));
    std::string room(1 << 20, '\0');
    const auto until = Clock::now() + std::chrono::seconds(20);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    while (troubles == 0 && Clock::now() < until) {
      if (read(ends[0], room.data(), room.size()) <= 0) usleep(1000);
    }
    EXPECT_EQ(troubles, 1);
    EXPECT_THAT(said, testing::HasSubstr("lines of the log were dropped"));
    for (int i = 0; i < 200; ++i) writer.write(line + "\n");
    // Its end waits for nobody either.
  }
  EXPECT_LT(Clock::now() - began, std::chrono::seconds(30));
  close(ends[0]);
  close(ends[1]);
}

TEST(LogWriter, AFullPipeEndsInTime) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Clock::time_point began;
  {
    const OtherStandardError other(ends[1]);
    LogWriter writer;
    for (int i = 0; i < 1000; ++i) writer.write(std::string(1000, 'x') + "\n");
    began = Clock::now();
  }
  EXPECT_LT(Clock::now() - began, std::chrono::milliseconds(5 * LogWriter::kEndMs));
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace kvorum::server
