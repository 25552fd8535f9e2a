// SPDX-License-Identifier: Apache-2.0
#include "server/peers/link_mail.h"

#include <gtest/gtest.h>

#include <thread>

namespace kvorum::server {
namespace {

LinkMail mail_of(uint32_t from, cluster::MemberIndex member, std::string_view bytes) {
  LinkMail mail;
  LinkItem& item = mail.items.emplace_back();
  item.kind = LinkItem::Kind::kFrames;
  item.from = from;
  item.member = member;
  item.size = bytes.size();
  mail.bytes = bytes;
  return mail;
}

TEST(LinkMailbox, WakesItsReactorOnceUntilTheMailIsTaken) {
  LinkMailbox mailbox;
  LinkMail one = mail_of(1, 7, "abc"), other = mail_of(2, 8, "de"), taken;
  one.large.push_back({"front", nullptr, "rest"});
  EXPECT_TRUE(mailbox.put(one));
  EXPECT_TRUE(one.empty());
  EXPECT_FALSE(mailbox.put(other));
  EXPECT_TRUE(other.empty());
  mailbox.take(taken);
  ASSERT_EQ(taken.items.size(), 2u);
  EXPECT_EQ(taken.items[0].member, 7);
  EXPECT_EQ(taken.items[1].from, 2u);
  EXPECT_EQ(taken.bytes, "abcde");
  ASSERT_EQ(taken.large.size(), 1u);
  EXPECT_EQ(taken.large[0].front, "front");
  taken.clear();
  EXPECT_TRUE(taken.empty());
  mailbox.take(taken);
  EXPECT_TRUE(taken.empty());
  one = mail_of(1, 7, "f");
  EXPECT_TRUE(mailbox.put(one));
}

TEST(LinkMailbox, KeepsTheOrderOfEachSender) {
  constexpr int kEach = 20'000;
  LinkMailbox mailbox;
  const auto send = [&](uint32_t from) {
    LinkMail mail;
    for (int i = 0; i < kEach; ++i) {
      LinkItem& item = mail.items.emplace_back();
      item.from = from;
      item.number = static_cast<uint64_t>(i);
      mailbox.put(mail);
    }
  };
  std::thread one([&] { send(0); }), other([&] { send(1); });
  uint64_t next[2] = {};
  LinkMail taken;
  while (next[0] + next[1] < 2 * kEach) {
    mailbox.take(taken);
    for (const LinkItem& item : taken.items) ASSERT_EQ(item.number, next[item.from]++);
    taken.clear();
  }
  one.join();
  other.join();
}

}  // namespace
}  // namespace kvorum::server
