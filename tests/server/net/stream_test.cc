// SPDX-License-Identifier: Apache-2.0
#include "server/net/stream.h"

#include <gtest/gtest.h>

#include <boost/asio/write.hpp>
#include <functional>
#include <optional>
#include <thread>

namespace kvorum::server {
namespace {

// A connected pair on the loopback: the stream's side and ours.
struct Pair {
  explicit Pair(asio::io_context& io) : theirs(io.get_executor()), ours(io.get_executor()) {
    TcpAcceptor acceptor(io.get_executor(), Tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    ours.connect(acceptor.local_endpoint());
    theirs = acceptor.accept();
    ours.non_blocking(true);
  }
  TcpSocket theirs, ours;
};

class StreamTest : public testing::Test, public StreamOwner {
 protected:
  size_t on_input(std::string_view bytes) override {
    if (shown) shown(bytes);
    const size_t taken = std::min(bytes.size(), takes_max);
    received.append(bytes.substr(0, taken));
    left = bytes.size() - taken;
    return taken;
  }
  size_t input_hint() const override { return hint; }
  bool wants_input() const override { return wants; }
  bool wants_last_input() const override { return wants_last; }
  bool on_end() override { return outlives_end; }
  void on_sent() override { ++sent; }
  void on_broken(const error_code& why) override { broken = why; }

  void write(const std::string& bytes) { asio::write(pair.ours, asio::buffer(bytes)); }
  // Until nothing is ready: everything happens on the loopback at once.
  void run() {
    io.restart();
    while (io.run_one_for(std::chrono::milliseconds(50)) != 0) {
    }
  }
  void run_some() {
    io.restart();
    for (int events = 0; events < 4 && io.run_one_for(std::chrono::milliseconds(5)) != 0;) ++events;
  }
  std::string read_available() {
    std::string out(1 << 20, '\0');
    error_code error;
    out.resize(pair.ours.read_some(asio::buffer(out), error));
    return out;
  }

  asio::io_context io;
  Pair pair{io};
  PollSet polls{io};
  InFlight in_flight{InFlight::kLimitUsual};
  InFlightShare in_flight_share{in_flight};
  StreamShare share{polls, in_flight_share};
  Stream stream{std::move(pair.theirs), share, *this};
  std::function<void(std::string_view)> shown;
  std::string received;
  size_t takes_max = SIZE_MAX, left = 0, hint = 0;
  bool wants = true, outlives_end = false, wants_last = false;
  int sent = 0;
  std::optional<error_code> broken;
};

TEST_F(StreamTest, BytesArriveInOrder) {
  stream.start();
  write("hello ");
  run();
  write("world");
  run();
  EXPECT_EQ(received, "hello world");
  EXPECT_EQ(share.bytes_in, 11u);
}

// A client that sends no more still reads.
TEST_F(StreamTest, AnOwnerMayAnswerAfterTheEnd) {
  outlives_end = true;
  takes_max = 2;
  stream.start();
  write("abc");
  pair.ours.shutdown(TcpSocket::shutdown_send);
  run();
  EXPECT_TRUE(stream.is_open());
  EXPECT_TRUE(stream.ended());
  EXPECT_FALSE(stream.waits_to_read());
  EXPECT_EQ(stream.kept_bytes(), 1u);
  const uint64_t seen = polls.seen();
  run();
  EXPECT_LE(polls.seen() - seen, 1u);  // an end that is reported on and on would burn a core
  stream.resume();
  EXPECT_EQ(received, "abc");
  std::string reply = "answer";
  stream.send(reply);
  run();
  EXPECT_EQ(read_available(), "answer");
  EXPECT_FALSE(broken);
}

TEST_F(StreamTest, ALargeBodyFollowsInPiecesAndIsLetGo) {
  const SharedBytes value = kvorum::share(std::string(3'000'000, 'b'));
  std::string head = "head;";
  stream.start();
  stream.send(head, {value, *value});
  EXPECT_TRUE(stream.sending()) << "no more than a piece at once";
  EXPECT_GE(stream.unsent_bytes(), value->size() - LargePace::kPieceBytes);
  std::string got;
  for (int look = 0; look < 1000 && stream.sending(); ++look) {
    run_some();
    got += read_available();
  }
  got += read_available();
  EXPECT_EQ(got, "head;" + std::string(*value));
  EXPECT_EQ(sent, 1);
  EXPECT_EQ(value.use_count(), 1);
  EXPECT_EQ(share.bytes_out, got.size());
}

TEST_F(StreamTest, APeerThatGoesEndsABody) {
  const SharedBytes value = kvorum::share(std::string(30'000'000, 'b'));
  std::string head = "head;";
  stream.start();
  stream.send(head, {value, *value});
  pair.ours.close();
  run();
  EXPECT_TRUE(broken);
  EXPECT_FALSE(stream.sending());
  EXPECT_EQ(value.use_count(), 1);
}

// Others are served: a large body waits for its turns, and small replies do not.
TEST_F(StreamTest, ABodyMovesAtThePace) {
  TurnClock clock(0);
  LargePace pace(1);
  Pacer pacer(pace, clock);
  share.pacer = &pacer;
  pace.served(1000, clock.now().steady_us);
  while (pace.wait_us(LargePace::kPieceBytes, clock.now().steady_us) == 0) {
  }
  const SharedBytes value = kvorum::share(std::string(1'000'000, 'b'));
  std::string head = "head;";
  stream.start();
  stream.send(head, {value, *value});
  run();
  EXPECT_EQ(read_available(), "head;");
  ASSERT_NE(pacer.next_due_us(), 0u);
  clock.end_turn(0);
  pacer.on_time(pacer.next_due_us() + 10'000'000);
  run();
  EXPECT_FALSE(read_available().empty());
  stream.close();
  EXPECT_EQ(pacer.next_due_us(), 0u) << "it is forgotten";
  share.pacer = nullptr;
}

TEST_F(StreamTest, LargeInputIsSharedWhereItLies) {
  const std::string large(2'000'000, 'i');
  SharedBytes taken;
  hint = large.size();
  takes_max = 0;
  shown = [&](std::string_view bytes) {
    if (bytes.size() < large.size()) return;
    taken = stream.share_input(bytes.substr(10, 20));
    takes_max = SIZE_MAX;
    EXPECT_EQ(stream.share_input("elsewhere"), nullptr);
  };
  stream.start();
  pair.ours.non_blocking(false);
  std::thread writer([&] { asio::write(pair.ours, asio::buffer(large)); });
  for (int look = 0; look < 1000 && !taken; ++look) run_some();
  writer.join();
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(*taken, large);
  EXPECT_EQ(stream.kept_bytes(), 0u);
}

TEST_F(StreamTest, WhatIsNotTakenIsShownAgainWithWhatFollows) {
  stream.start();
  takes_max = 2;
  write("abcdef");
  run();
  EXPECT_EQ(received, "ab");
  EXPECT_TRUE(stream.has_kept_input());
  takes_max = SIZE_MAX;
  write("gh");
  run();
  EXPECT_EQ(received, "abcdefgh");
  EXPECT_FALSE(stream.has_kept_input());
}

TEST_F(StreamTest, WhatIsKeptAndWhatIsNotSentIsInFlight) {
  stream.start();
  takes_max = 0;
  write("abcdef");
  run();
  std::string large(20'000'000, 'x');
  stream.send(large);
  ASSERT_TRUE(stream.sending());
  in_flight_share.tell();
  EXPECT_EQ(in_flight.used(HeldFor::kRequests), 6u);
  EXPECT_GE(in_flight.used(HeldFor::kReplies), 20'000'000u);
  EXPECT_LT(in_flight.used(HeldFor::kReplies), 21'000'000u);
  EXPECT_LE(stream.acknowledged_bytes(), stream.sent_bytes());
  size_t read = 0;
  while (read < 20'000'000) {
    read += read_available().size();
    io.restart();
    io.poll();
  }
  takes_max = SIZE_MAX;
  stream.resume();
  in_flight_share.tell();
  EXPECT_EQ(in_flight.used(), 0u);
  EXPECT_EQ(stream.acknowledged_bytes(), 20'000'000u);
}

TEST_F(StreamTest, AnOwnerThatWantsNoInputIsNotReadFor) {
  stream.start();
  wants = false;
  takes_max = 1;
  write("abc");
  run();
  write("def");
  run();
  EXPECT_EQ(received, "a");
  EXPECT_EQ(left, 2u);
  EXPECT_FALSE(stream.waits_to_read());
  wants = true;
  takes_max = SIZE_MAX;
  stream.resume();
  run();
  EXPECT_EQ(received, "abcdef");
}

TEST_F(StreamTest, ALargeRequestIsGatheredWhole) {
  stream.start();
  takes_max = 0;
  hint = 3'000'000;
  const std::string large(3'000'000, 'x');
  size_t written = 0;
  while (written < large.size()) {
    error_code error;
    written +=
        pair.ours.write_some(asio::buffer(large.data() + written, large.size() - written), error);
    io.restart();
    io.poll();
  }
  takes_max = SIZE_MAX;
  write("!");
  run();
  EXPECT_EQ(received, large + "!");
}

// Each recv used to ask for 64 MB more than there was, and moved all of the buffer for it.
TEST_F(StreamTest, ALargeRequestIsMovedNoOftenerThanItsBufferDoubles) {
  stream.start();
  takes_max = 0;
  hint = 512 << 20;
  const std::string part(1 << 20, 'x');
  const char* at = nullptr;
  size_t moves = 0;
  shown = [&](std::string_view bytes) {
    moves += bytes.data() != at;
    at = bytes.data();
  };
  constexpr size_t kParts = 96;
  for (size_t sent_bytes = 0; sent_bytes < kParts * part.size();) {
    error_code error;
    const size_t offset = sent_bytes % part.size();
    sent_bytes +=
        pair.ours.write_some(asio::buffer(part.data() + offset, part.size() - offset), error);
    io.restart();
    io.poll();
  }
  run();
  EXPECT_EQ(left, kParts * part.size());
  EXPECT_LT(moves, 40u);
}

TEST_F(StreamTest, AClaimedSizeIsBelievedAsFarAsBytesHaveCome) {
  stream.start();
  takes_max = 0;
  hint = 512 << 20;
  write(std::string(1000, 'x'));
  run();
  EXPECT_EQ(stream.kept_room(), Stream::kHintBelievedMin);
}

TEST_F(StreamTest, SendingTakesTheBytesAndReusesTheMemory) {
  stream.start();
  std::string out = "reply";
  stream.send(out);
  EXPECT_TRUE(out.empty());
  EXPECT_FALSE(stream.sending());
  EXPECT_EQ(read_available(), "reply");
  EXPECT_EQ(sent, 0);
}

TEST_F(StreamTest, WhatTheSocketDoesNotTakeFollowsWhenThereIsRoom) {
  stream.start();
  const std::string large(20'000'000, 'y');
  std::string out = large;
  stream.send(out);
  EXPECT_TRUE(stream.sending());
  EXPECT_GT(stream.unsent_bytes(), 0u);
  std::string got;
  while (got.size() < large.size()) {
    got += read_available();
    io.restart();
    io.poll();
  }
  EXPECT_EQ(got, large);
  EXPECT_EQ(sent, 1);
  EXPECT_FALSE(stream.sending());
}

TEST_F(StreamTest, TheOtherSidesCloseIsTold) {
  stream.start();
  pair.ours.close();
  run();
  ASSERT_TRUE(broken.has_value());
  EXPECT_EQ(*broken, asio::error::eof);
  EXPECT_FALSE(stream.is_open());
}

TEST_F(StreamTest, ABrokenConnectionIsToldWhileSending) {
  stream.start();
  pair.ours.set_option(asio::socket_base::linger(true, 0));
  pair.ours.close();
  std::string out = "into the void";
  stream.send(out);
  run();
  EXPECT_TRUE(broken.has_value());
  EXPECT_FALSE(stream.is_open());
}

// A peer that stops answers what it was asked, and closes; what it is asked meanwhile resets the
// connection.
TEST_F(StreamTest, WhatArrivedBeforeABreakIsReadWhenSendingFails) {
  for (const bool last : {false, true}) {
    Pair another(io);
    Stream asking(std::move(another.theirs), share, *this);
    broken.reset();
    received.clear();
    wants_last = last;
    asking.start();
    std::string request = "a request";
    asking.send(request);
    asio::write(another.ours, asio::buffer(std::string("an answer")));
    another.ours.close();  // with a request that it has not read
    for (int tries = 0; tries < 3 && !broken; ++tries) {
      request = "another request";
      asking.send(request);
    }
    EXPECT_TRUE(broken);
    EXPECT_FALSE(asking.is_open());
    EXPECT_EQ(received, last ? "an answer" : "");
  }
}

TEST_F(StreamTest, ClosingIsNotTold) {
  stream.start();
  write("too late");
  stream.close();
  run();
  EXPECT_EQ(received, "");
  EXPECT_FALSE(broken.has_value());
}

// Else a client that is not read from for a while would cost a core.
TEST_F(StreamTest, InputThatNobodyWantsIsNoticedOnce) {
  stream.start();
  wants = false;
  write("taken");
  run();
  EXPECT_EQ(received, "taken");
  write("left alone");
  run();
  const uint64_t seen = polls.seen();
  run();
  EXPECT_EQ(polls.seen(), seen);
  EXPECT_EQ(received, "taken");
  wants = true;
  stream.resume();
  run();
  EXPECT_EQ(received, "takenleft alone");
}

TEST_F(StreamTest, RoomThatNobodyNeedsIsNotNoticed) {
  stream.start();
  const std::string large(20'000'000, 'y');
  std::string out = large;
  stream.send(out);
  size_t got = 0;
  while (got < large.size()) {
    got += read_available().size();
    io.restart();
    io.poll();
  }
  EXPECT_FALSE(stream.sending());
  run();
  const uint64_t seen = polls.seen();
  run();
  EXPECT_EQ(polls.seen(), seen);
}

TEST_F(StreamTest, ABreakIsToldOnceItIsWantedToRead) {
  stream.start();
  wants = false;
  write("x");
  run();
  pair.ours.set_option(asio::socket_base::linger(true, 0));
  pair.ours.close();
  run();
  EXPECT_FALSE(broken.has_value());
  const uint64_t seen = polls.seen();
  run();
  EXPECT_EQ(polls.seen(), seen) << "a broken socket is ready for ever";
  wants = true;
  stream.resume();
  run();
  EXPECT_TRUE(broken.has_value());
}

// How the other side sees the end of a stream that still had much to send.
TEST_F(StreamTest, AbortTakesBackWhatWasNotReceived) {
  stream.start();
  std::string bytes(16 << 20, 'x');
  stream.send(bytes);
  EXPECT_TRUE(stream.sending());
  stream.abort();
  error_code end;
  while (!end) {
    std::string out(1 << 20, '\0');
    pair.ours.read_some(asio::buffer(out), end);
  }
  EXPECT_EQ(end, asio::error::connection_reset);
}

}  // namespace
}  // namespace kvorum::server
