// SPDX-License-Identifier: Apache-2.0
// A connected socket of a reactor, for client sessions and peer links alike: waits for input, reads
// it into a buffer that all streams of the reactor share, shows it to its owner, and keeps only
// what the owner did not take. Sends at once what the socket accepts and waits for the rest.
// Allocates nothing per message. The reactor's thread only; its owner may destroy it only between
// the events of its PollSet.
//
//   idle --start()--> waiting for input --bytes--> on_input --wants_input()--> waiting ...
//   send(): all sent at once, or the rest waits for room: on_sent() when it is gone
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/flow/in_flight.h"
#include "server/flow/large_pace.h"
#include "server/net/asio.h"
#include "server/net/byte_buffer.h"
#include "server/net/poll_set.h"

namespace kvorum::server {

// What all streams of a reactor share, and the traffic of one kind of them. What they keep counts
// as in flight.
struct StreamShare {
  static constexpr size_t kReadBytes = 256 * 1024;

  // Of clients. `poll_set` and `share` outlive the streams.
  StreamShare(PollSet& poll_set, InFlightShare& share, Pacer* its_pacer = nullptr)
      : polls(poll_set),
        in_flight(share),
        kept_as(HeldFor::kRequests),
        unsent_as(HeldFor::kReplies),
        unsent_kept_max(64 * 1024),
        read_buffer(new char[kReadBytes]),
        pacer(its_pacer) {}
  // Of peers, with the same buffer.
  explicit StreamShare(const StreamShare* sharer)
      : polls(sharer->polls),
        in_flight(sharer->in_flight),
        kept_as(HeldFor::kPeersIn),
        unsent_as(HeldFor::kPeersOut),
        unsent_kept_max(1024 * 1024),
        read_buffer(sharer->read_buffer),
        pacer(sharer->pacer) {}

  PollSet& polls;
  InFlightShare& in_flight;
  const HeldFor kept_as, unsent_as;
  const size_t unsent_kept_max;  // of the memory of what was sent, for what is sent next
  std::shared_ptr<char[]> read_buffer;
  Pacer* pacer = nullptr;  // of large values; null: they are not held up
  uint64_t bytes_in = 0, bytes_out = 0;

  bool may_move_piece(Paced& who) {
    return pacer == nullptr || pacer->may_move(who, LargePace::kPieceBytes);
  }
  void wait_for_turn(Paced& who) {
    if (pacer != nullptr) pacer->wait_for_turn(who);
  }
  bool is_paced() const { return pacer != nullptr && pacer->is_busy(); }
  void forget(const Paced& who) {
    if (pacer != nullptr) pacer->forget(who);
  }
};

class StreamOwner {
 public:
  // All input not taken so far; returns how much of its front was taken.
  virtual size_t on_input(std::string_view bytes) = 0;
  // At least so many more bytes are needed to go on; sizes the buffer.
  virtual size_t input_hint() const = 0;
  // False: stop reading until Stream::resume().
  virtual bool wants_input() const = 0;
  // A socket that was full took more: the other side reads.
  virtual void on_room() {}
  // The other side sends no more, but may still read. True: the stream stays open, for what is kept
  // and for replies; false: it is broken, as if by an error.
  virtual bool on_end() { return false; }
  // Where nothing more can be sent: what the other side said before it went is of use still.
  virtual bool wants_last_input() const { return false; }
  // What waited for room has been sent.
  virtual void on_sent() = 0;
  // The other side closed, or the connection broke, perhaps within send(). The stream is closed
  // already; the owner must not destroy it here.
  virtual void on_broken(const error_code& why) = 0;

 protected:
  ~StreamOwner() = default;
};

class Stream final : private Pollable, private Paced {
 public:
  // A claimed size is believed up to as much again as has arrived, or to so much: a client that
  // only claims takes no memory, and a buffer that doubles is linear in its bytes. Who sent so much
  // is believed: room that nothing is written to costs addresses only, and moving it would take as
  // long as writing it.
  static constexpr size_t kHintBelievedMin = 256 * 1024;
  static constexpr size_t kAllBelievedFrom = 1024 * 1024;
  static constexpr size_t kRoomMin = 16 * 1024;
  // So that a turn of the reactor stays short.
  static constexpr size_t kReadOnceMax = 256 * 1024;
  // What follows a large request is not kept in its buffer.
  static constexpr size_t kKeptRoomMax = 1024 * 1024;

  // `share` and `owner` outlive it. The socket is connected.
  Stream(TcpSocket socket, StreamShare& share, StreamOwner& owner);
  Stream(const Stream&) = delete;
  ~Stream() { close(); }

  void start();
  // After so many seconds of silence TCP asks whether the other side is there, and gives it up
  // after twice as long; 0: never.
  void set_keepalive(uint64_t seconds);
  // Input may be taken again: shows what is kept, then reads on.
  void resume();
  // Looks once whether more has arrived, and waits for no more until resume().
  void read_last();
  bool has_kept_input() const { return !kept_.empty(); }
  size_t kept_bytes() const { return kept_.size(); }
  // The other side sends no more.
  bool ended() const { return ended_; }
  size_t kept_room() const { return kept_.room(); }  // for tests

  // A share of what `part`, a part of the input as it is shown, lies in; none where that is no
  // memory of this stream's own.
  SharedBytes share_input(std::string_view part);

  // Takes the bytes (leaves `bytes` empty, with memory to reuse), and sends a large body behind
  // them. Only if !sending().
  void send(std::string& bytes, SharedView body = {});
  bool sending() const { return !unsent_.empty() || !body_.empty(); }
  size_t unsent_bytes() const { return unsent_.size() - unsent_offset_ + body_.bytes.size(); }
  // Grows whenever the socket takes something.
  uint64_t sent_bytes() const { return sent_bytes_; }
  // Of them, those that the other side has received. Asks the kernel.
  uint64_t acknowledged_bytes() const;

  void close();
  // Closes, and takes back what the other side has not received: the kernel would go on sending it.
  void abort();
  bool is_open() const { return open_; }
  bool waits_to_read() const { return waits_to_read_ || read_paced_; }
  // As text, for people. Of an open one.
  std::string remote_address() const;

 private:
  void on_ready(bool readable, bool writable) override;
  void on_pace() override;
  // The request that is received is a large one.
  bool keeps_large() const { return kept_.size() >= kSharedBytesMin; }
  void wait_to_read();
  void wait_to_write();
  uint32_t wanted_events() const;
  void watch();
  void on_readable();
  void on_writable();
  bool read_once();
  void end();
  size_t room_wanted(size_t kept_bytes) const;
  size_t show(std::string_view bytes);
  void show_kept();
  bool push();
  bool push_body();
  size_t send_some(std::string_view bytes);
  void broke_sending(const error_code& error);
  void broke(const error_code& error);

  PollSet::Watched watched_;
  StreamShare& share_;
  StreamOwner& owner_;
  ByteBuffer kept_;
  std::string unsent_;
  size_t unsent_offset_ = 0;
  SharedView body_;  // what is left of it
  uint64_t sent_bytes_ = 0;
  HeldBytes kept_held_, unsent_held_;
  bool open_ = true, ended_ = false, takes_nothing_ = false;
  bool shows_ = false;  // to its owner, just now
  bool waits_to_read_ = false, waits_to_write_ = false;
  bool read_paced_ = false, write_paced_ = false;  // the next piece of a large value has to wait
};

}  // namespace kvorum::server
