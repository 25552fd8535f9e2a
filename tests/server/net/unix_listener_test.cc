// SPDX-License-Identifier: Apache-2.0
#include "server/net/unix_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace kvorum::server {
namespace {

using testing::HasSubstr;

class UnixListenerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = std::filesystem::temp_directory_path() / "kvorum-unix-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ / "socket"; }

  // A descriptor, or -1.
  int connect_to(const std::string& where) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, where.data(), where.size());
    const int client = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      return client;
    }
    close(client);
    return -1;
  }

  std::filesystem::path folder_;
};

TEST_F(UnixListenerTest, EachReactorMayAccept) {
  auto bound = listen_on_path("redis_socket", path(), 0700, 3);
  ASSERT_TRUE(bound.ok()) << bound.status().message();
  ASSERT_EQ(bound.value().sockets.size(), 3u);
  for (const ListeningSocket& socket : bound.value().sockets) {
    const int client = connect_to(path());
    ASSERT_GE(client, 0);
    pollfd ready{socket.descriptor(), POLLIN, 0};
    ASSERT_EQ(poll(&ready, 1, 10'000), 1);
    const int accepted = accept(socket.descriptor(), nullptr, nullptr);
    EXPECT_GE(accepted, 0);
    close(accepted);
    close(client);
  }
}

TEST_F(UnixListenerTest, TheFileHasTheModeAndGoesWithItsHolder) {
  {
    const auto bound = listen_on_path("redis_socket", path(), 0640, 1);
    ASSERT_TRUE(bound.ok());
    struct stat found {};
    ASSERT_EQ(stat(path().c_str(), &found), 0);
    EXPECT_TRUE(S_ISSOCK(found.st_mode));
    EXPECT_EQ(found.st_mode & 0777, 0640u);
  }
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(UnixListenerTest, APathInUseIsNamedAndStays) {
  const auto holder = listen_on_path("redis_socket", path(), 0, 1);
  ASSERT_TRUE(holder.ok());
  const auto refused = listen_on_path("memcached_socket", path(), 0, 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().message(),
              testing::AllOf(HasSubstr("memcached_socket"), HasSubstr(path()), HasSubstr("in use"),
                             HasSubstr("another path")));
  const int client = connect_to(path());
  EXPECT_GE(client, 0);
  close(client);
}

TEST_F(UnixListenerTest, WhatAKilledProcessLeftIsReplaced) {
  {
    const int left = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path().data(), path().size());
    ASSERT_EQ(bind(left, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    close(left);
  }
  ASSERT_TRUE(std::filesystem::exists(path()));
  const auto bound = listen_on_path("redis_socket", path(), 0, 1);
  ASSERT_TRUE(bound.ok()) << bound.status().message();
  const int client = connect_to(path());
  EXPECT_GE(client, 0);
  close(client);
}

TEST_F(UnixListenerTest, AFileThatIsNoSocketIsLeftAlone) {
  std::ofstream(path()) << "words";
  const auto refused = listen_on_path("redis_socket", path(), 0, 1);
  EXPECT_FALSE(refused.ok());
  EXPECT_EQ(std::filesystem::file_size(path()), 5u);
}

TEST_F(UnixListenerTest, AFolderThatIsNotThereIsTold) {
  const auto refused = listen_on_path("redis_socket", folder_ / "none" / "socket", 0, 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().message(), HasSubstr("No such file"));
}

}  // namespace
}  // namespace kvorum::server
