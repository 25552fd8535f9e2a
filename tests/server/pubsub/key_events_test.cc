// SPDX-License-Identifier: Apache-2.0
#include "server/pubsub/key_events.h"

#include <gtest/gtest.h>

#include "server/commands/set_condition.h"
#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

constexpr uint64_t kNow = 1'000'000;

EventLetters letters(std::string_view text) { return read_event_letters(text).value(); }

KeyChange change(cluster::EditCode edit, std::string_view argument = {},
                 std::string_view command = "set") {
  cluster::Request request;
  request.kind = cluster::Request::Kind::kEdit;
  request.edit = edit;
  request.argument = argument;
  return change_of(request, command, kNow);
}

std::string number(uint64_t value) {
  std::string bytes;
  put_varint(bytes, value);
  return bytes;
}

TEST(KeyEvents, LettersAsRedisShowsThem) {
  EXPECT_EQ(event_letters_text(letters("")), "");
  EXPECT_EQ(event_letters_text(letters("KEA")), "AKE");
  EXPECT_EQ(event_letters_text(letters("EKg$lshzxetd")), "AKE");
  EXPECT_EQ(event_letters_text(letters("E$g")), "g$E");
  EXPECT_EQ(event_letters_text(letters("Am")), "Am");
  EXPECT_FALSE(read_event_letters("KEq").has_value());
  EXPECT_FALSE(read_event_letters("K ").has_value());
}

TEST(KeyEvents, NobodyIsToldWithoutAChannel) {
  EXPECT_FALSE(asks_for(letters("Ex"), KeyEvent::kEvicted));
  EXPECT_TRUE(asks_for(letters("Ee"), KeyEvent::kEvicted));
  EXPECT_TRUE(asks_for(letters("EA"), KeyEvent::kEvicted));
  EXPECT_EQ(name_of(KeyEvent::kEvicted), "evicted");
  EXPECT_FALSE(asks_for(letters("A"), KeyEvent::kSet));
  EXPECT_TRUE(asks_for(letters("KA"), KeyEvent::kSet));
  EXPECT_TRUE(asks_for(letters("E$"), KeyEvent::kIncrementBy));
  EXPECT_FALSE(asks_for(letters("E$"), KeyEvent::kDelete));
  EXPECT_TRUE(asks_for(letters("Eg"), KeyEvent::kExpire));
  EXPECT_FALSE(asks_for(letters("Eg"), KeyEvent::kExpired));
  EXPECT_TRUE(asks_for(letters("Kx"), KeyEvent::kExpired));
}

TEST(KeyEvents, OfValues) {
  EXPECT_EQ(name_of(change(kEditSet).event), "set");
  EXPECT_FALSE(change(kEditSet).sets_deadline);
  std::string argument;
  put_value_options(argument, {kNow + 1, 0});
  EXPECT_TRUE(change(kEditSet, argument).sets_deadline);
  EXPECT_FALSE(change(kEditSet, argument, "copy").sets_deadline);
  std::string condition;
  put_set_condition(condition, kSetIfAbsent, {kNow + 1, 0});
  EXPECT_TRUE(change(kEditSetIf, condition).sets_deadline);
  EXPECT_EQ(name_of(change(kEditSet, {}, "rename").event), "rename_to");
  EXPECT_EQ(name_of(change(kEditDeleteVersions, {}, "rename").event), "rename_from");
  EXPECT_EQ(name_of(change(kEditDeleteVersions, {}, "move").event), "move_from");
  EXPECT_EQ(name_of(change(kEditRemove, {}, "del").event), "del");
  EXPECT_EQ(name_of(change(kEditIncrement).event), "incrby");
  EXPECT_TRUE(change(kEditBatch).in_reply) << "its reply tells of its parts";
  EXPECT_EQ(change(kEditBatch).events(), 0u);
}

TEST(KeyEvents, OfDeadlines) {
  EXPECT_EQ(name_of(change(kEditGetExpire, number(kNow + 1)).event), "expire");
  EXPECT_EQ(name_of(change(kEditGetExpire, number(kNow)).event), "del");
  EXPECT_EQ(name_of(change(kEditGetExpire, number(0)).event), "persist");
  std::string argument;
  put_u64(argument, static_cast<uint64_t>(int64_t{-1}));
  EXPECT_EQ(name_of(change(kEditExpire, argument).event), "del");
}

// One event for the cluster, also where another node coordinates; none where nothing changed.
TEST(KeyEvents, OfTheNodeThatWasAsked) {
  CommandCluster cluster(3);
  const size_t away = (cluster.primary_of("k") + 1) % 3;
  TestClient a(cluster, away), p(cluster, away);
  a.say("SUBSCRIBE", "__keyevent@0__:set");
  p.say("SET", "k", "v");
  EXPECT_EQ(a.take(), "") << "nobody asked for them";
  p.say("CONFIG", "SET", "notify-keyspace-events", "KEA");
  p.say("SET", "k", "v");
  EXPECT_EQ(a.take(), "*3\r\n$7\r\nmessage\r\n$18\r\n__keyevent@0__:set\r\n$1\r\nk\r\n");
  p.say("SET", "k", "v", "NX");
  EXPECT_EQ(a.take(), "");
  TestClient cache(cluster, away, TestClient::memcached());
  cache.line("set k 0 0 1\r\nx\r\n");
  EXPECT_EQ(a.take(), "*3\r\n$7\r\nmessage\r\n$18\r\n__keyevent@0__:set\r\n$1\r\nk\r\n");
}

// The keys are locked, or copied, where they live; each event comes once for a key.
TEST(KeyEvents, OfScripts) {
  CommandCluster cluster(
      3, [](cluster::Founding& founding) { founding.partitioner = Partitioner::kSlots; });
  const size_t away = (cluster.primary_of("{t}a") + 1) % 3;
  TestClient a(cluster, away), p(cluster, away);
  p.say("CONFIG", "SET", "notify-keyspace-events", "EA");
  for (const char* event : {"incrby", "expire", "set", "append", "del"}) {
    a.say("SUBSCRIBE", std::string("__keyevent@0__:") + event);
  }
  const auto told = [](const std::string& event, const std::string& key) {
    const std::string channel = "__keyevent@0__:" + event;
    return TestClient::resp({"message", channel, key});
  };
  p.say("EVAL",
        "redis.call('INCR', KEYS[1]) redis.call('INCR', KEYS[1]) "
        "return redis.call('PEXPIRE', KEYS[1], 60000)",
        "1", "{t}a");
  EXPECT_EQ(a.take(), told("incrby", "{t}a") + told("expire", "{t}a"));
  p.say("EVAL",
        "redis.call('DEL', KEYS[1], KEYS[2]) redis.call('SET', KEYS[2], 'v') "
        "return redis.call('APPEND', KEYS[3], 'x')",
        "3", "{t}a", "{t}b", "{t}c");
  EXPECT_EQ(a.take(), told("del", "{t}a") + told("set", "{t}b") + told("append", "{t}c"));
  p.say("EVAL", "return redis.call('DEL', KEYS[1])", "1", "{t}a");
  p.say("EVAL", "return redis.call('GET', KEYS[1])", "1", "{t}b");
  EXPECT_EQ(a.take(), "");
}

}  // namespace
}  // namespace kvorum::server
