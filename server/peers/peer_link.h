// SPDX-License-Identifier: Apache-2.0
// What a dialed and an accepted link have in common: frames cut from a Stream, a bounded queue of
// bytes to send, chunks of large frames between the others (cluster/wire/frame_chunks.h), the time
// of the last byte heard. Owned by PeerLinks of one reactor; after it closed it stays there until
// the end of the turn. The reactor's thread only.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cluster/wire/frame.h"
#include "cluster/wire/frame_chunks.h"
#include "server/flow/turn_clock.h"
#include "server/net/stream.h"
#include "server/peers/greeting.h"

namespace kvorum::server {

class PeerLink : public StreamOwner, private Paced {
 public:
  // More than this waiting for a peer that takes no bytes: the link is given up.
  static constexpr size_t kQueueBytesMax = 256 * 1024 * 1024;
  // Of large frames, whose bytes the links share: beyond, they have to flow.
  static constexpr size_t kLargeBytesMax = 2 * cluster::kFrameBytesMax;
  static constexpr size_t kFramesPerBatch = 64;
  static constexpr size_t kFramesPerLook = 4;             // at what their answers hold
  static constexpr uint64_t kGreetingUs = 3'000'000;      // to prove who one is
  static constexpr uint64_t kPingAfterUs = 1'000'000;     // of silence
  static constexpr uint64_t kDeadAfterUs = 3'000'000;     // of silence, for the side that pings
  static constexpr uint64_t kOrphanAfterUs = 10'000'000;  // for the side that is pinged

  virtual ~PeerLink() { share_.forget(*this); }

  bool is_open() const { return stream_.is_open(); }
  bool is_up() const { return up_; }
  // Bytes wait for the socket; a large frame has come in part.
  bool sends() const { return stream_.sending() || !queue_.empty() || sender_.held_bytes() != 0; }
  bool receives() const { return assembler_.held_bytes() != 0; }
  // All that waits for the socket.
  size_t waiting_bytes() const { return unsent_bytes() + sender_.held_bytes(); }

  // Takes the frames (leaves `batch` empty, with memory to reuse).
  void send(std::string& batch);
  void send_large(cluster::LargeFrame frame);
  // After a turn's frames were sent: reads on where it held back.
  void go_on();
  // Both close without telling the subclass: it knows. An aborted link also takes back what its
  // peer did not receive: a request must not be executed long after it was asked of another node.
  void close();
  void abort();

 protected:
  PeerLink(TcpSocket socket, StreamShare& share)
      : share_(share),
        stream_(std::move(socket), share, *this),
        queue_held_(share.in_flight, share.unsent_as),
        assembled_held_(share.in_flight, share.kept_as) {}

  // All frames of one read, before each goes to on_frame(). Only while the link is up.
  virtual void before_frames(std::span<const cluster::Frame>) {}
  // False: nothing more of this link is to be read (it was closed).
  virtual bool on_frame(const cluster::Frame& frame) = 0;
  virtual void on_closed(std::string_view why) = 0;
  // Bytes of this large frame were sent, taken or received.
  virtual void on_flow(const cluster::FrameHead&) {}
  // True: no frame is taken until what waits to be sent has gone.
  virtual bool holds_back() const { return false; }
  virtual TurnClock& clock() = 0;

  void start(uint64_t now_us);
  void greeted() { up_ = true; }
  // Small frames: large ones have a window of their own, which the other side opens.
  size_t unsent_bytes() const { return stream_.unsent_bytes() + queue_.size(); }
  uint64_t last_heard_us() const { return last_heard_us_; }
  // The frames that are read now may have waited through the process's last pause.
  bool waited_through_pause() const { return waited_; }
  std::string remote_address() const { return stream_.remote_address(); }

 private:
  size_t on_input(std::string_view bytes) final;
  size_t input_hint() const final { return wanted_; }
  bool wants_input() const final { return stream_.is_open() && !holds_back(); }
  void on_room() final;
  void on_pace() final;
  void on_sent() final;
  void on_broken(const error_code& why) final;
  // Cuts one frame off `rest`; nothing (size 0) where it is not complete or the link was given up.
  size_t cut_frame(std::string_view rest, cluster::Frame* frame);
  void give_up(std::string_view why);
  void count_queue();
  void send_rest();
  bool on_chunk_frame(const cluster::Frame& frame);
  void tell_flow();

  StreamShare& share_;
  Stream stream_;
  std::string queue_;  // waits for what stream_ still sends
  HeldBytes queue_held_, assembled_held_;
  std::string control_;
  cluster::ChunkSender sender_;
  cluster::ChunkAssembler assembler_;
  uint64_t flowed_us_ = 0;  // when sender_ got rid of something last
  uint64_t last_heard_us_ = 0;
  size_t wanted_ = 0;
  bool up_ = false;
  bool waited_ = false;
};

}  // namespace kvorum::server
