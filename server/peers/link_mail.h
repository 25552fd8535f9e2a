// SPDX-License-Identifier: Apache-2.0
// What reactors of a node hand each other where they share links (peer_routes.h): frames to send,
// answers that came, news of a link. A reactor gathers the mail for another one in a LinkMail and
// puts it into that one's mailbox once a turn: one lock and at most one wake-up for all of it, and
// memory that goes round instead of an allocation for each. Order is kept from one reactor to
// another. How much waits is bounded by what the operations of the asking reactor ask.
#pragma once

#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/give_back.h"
#include "base/mutex.h"
#include "cluster/wire/frame.h"
#include "cluster/wire/frame_chunks.h"

namespace kvorum::server {

// A link as who asks on it sees it.
struct LinkState {
  bool up = false;
  bool one_way = true;    // the peer has not said yet that it has links here
  bool stopping = false;  // the peer said so
  bool tried = false;     // it was reached once in both directions, or could not be
  uint16_t version = 0;   // of the peer protocol
  uint64_t number = 0;    // of this link, among all that reactors of this node ever had
};

struct LinkItem {
  enum class Kind : uint8_t {
    // To the reactor that has the link.
    kSubscribe,    // the sender asks on it
    kUnsubscribe,  // not any more
    kFrames,       // `size` bytes of them
    kLarge,        // a large frame
    kMessages,     // `size` bytes of frames with messages between clients
    kStopSeen,     // the sender knows that the peer stops, and asked it nothing behind this
    kDoubt,        // the peer may have lost a link to this node
    // From it.
    kState,   // how it is now
    kAnswer,  // `size` bytes, the payload of `head`
    kWhole,   // the answer came in chunks: its payload is shared
    kFlow,    // bytes of this large frame were sent or came
  };
  Kind kind = Kind::kState;
  cluster::MemberIndex member = cluster::kNoMember;
  uint32_t from = 0;    // the reactor
  uint64_t number = 0;  // LinkState::number: of another link it is too late
  size_t size = 0;      // of the next bytes
  cluster::FrameHead head{};
  uint64_t sent_us = 0;  // kWhole
  LinkState state;
};

struct LinkMail {
  std::vector<LinkItem> items;
  std::string bytes;                       // of kFrames and kAnswer, in their order
  std::vector<cluster::LargeFrame> large;  // of kLarge and kWhole; here `rest` is the payload

  bool empty() const { return items.empty(); }
  void append(LinkMail& later) {
    items.insert(items.end(), later.items.begin(), later.items.end());
    bytes.append(later.bytes);
    std::move(later.large.begin(), later.large.end(), std::back_inserter(large));
  }
  // Keeps some of its memory.
  void clear() {
    constexpr size_t kBytesKept = 1024 * 1024, kItemsKept = 8 * 1024;
    if (items.capacity() > kItemsKept) std::vector<LinkItem>().swap(items);
    items.clear();
    give_back(bytes, kBytesKept);
    large.clear();
  }
};

// Of one reactor. Any thread.
class LinkMailbox {
 public:
  // Takes all of the mail (leaves it empty, with memory to reuse). True: the reactor is to be woken
  // up.
  bool put(LinkMail& mail) {
    const MutexLock lock(lock_);
    const bool first = mail_.empty();
    if (first) {
      std::swap(mail_, mail);
    } else {
      mail_.append(mail);
    }
    mail.clear();
    return first;
  }
  // All that is there. `mail` is empty.
  void take(LinkMail& mail) {
    const MutexLock lock(lock_);
    std::swap(mail_, mail);
  }

 private:
  Mutex lock_;
  LinkMail mail_ KVORUM_GUARDED_BY(lock_);
};

}  // namespace kvorum::server
