// SPDX-License-Identifier: Apache-2.0
#include "cluster/keyspace/scan_server.h"

#include "base/check.h"
#include "base/contains.h"

namespace kvorum::cluster {

std::optional<ScanServer::Ready> ScanServer::serve(const ScanQuestion& question, LinkIndex asker,
                                                   SlotId operation) {
  SlotId id;
  Serving& serving = servings_.acquire(&id);
  serving.question = question;
  serving.asker = asker;
  serving.operation = operation;
  serving.from = Position{question.from, 0};
  serving.partition = core_.view->ring.partition_of(serving.from);
  serving.live = 0;
  serving.shown = 0;
  serving.items.clear();
  return walk(id, serving);
}

std::optional<ScanServer::Ready> ScanServer::on_scanned(SlotId id, const ScanPage& page) {
  Serving* serving = servings_.find(id);
  if (!serving) return std::nullopt;
  if (page.access != engine::Access::kDone) return finish(id, *serving, true);
  take(*serving, page);
  return walk(id, *serving);
}

std::optional<ScanServer::Ready> ScanServer::walk(SlotId id, Serving& serving) {
  const ScanQuestion& question = serving.question;
  const uint32_t end = std::min(question.last_partition + 1, core_.view->ring.partitions());
  while (serving.partition < end) {
    if (serving.live >= question.count || serving.shown >= kShownMax) break;
    if (serving.items.size() >= kItemsBytesMax) break;
    if (!contains(core_.holders(question.keyspace, serving.partition), core_.self())) {
      enter(serving, serving.partition + 1);
      continue;
    }
    const RangeLoad range{id, question.keyspace, serving.partition, serving.from,
                          std::min(question.count - serving.live, kShownMax)};
    const ScanPage page = read_resident_page(core_.parts, range);
    if (page.access == engine::Access::kNotResident) {
      core_.outbox.range_loads.push_back(range);
      return std::nullopt;
    }
    if (page.access != engine::Access::kDone) return finish(id, serving, true);
    take(serving, page);
  }
  return finish(id, serving, false);
}

void ScanServer::take(Serving& serving, const ScanPage& page) {
  serving.items += page.items;
  serving.live += page.live;
  serving.shown += page.shown;
  if (page.done) {
    enter(serving, serving.partition + 1);
  } else {
    KVORUM_CHECK(page.next > serving.from);  // else the walk would never end
    serving.from = page.next;
  }
}

void ScanServer::enter(Serving& serving, uint32_t partition) {
  KVORUM_CHECK(partition == serving.partition + 1);  // none is passed over
  serving.partition = partition;
  if (partition < core_.view->ring.partitions()) {
    serving.from = core_.view->ring.start_of(partition);
  }
}

ScanServer::Ready ScanServer::finish(SlotId id, Serving& serving, bool refused) {
  const bool whole = serving.partition > serving.question.last_partition ||
                     serving.partition >= core_.view->ring.partitions();
  Ready ready;
  ready.asker = serving.asker;
  ready.operation = serving.operation;
  ready.items.swap(serving.items);
  ready.refused = refused;
  ready.next = whole ? 0 : serving.from.high;
  servings_.release(id);
  return ready;
}

}  // namespace kvorum::cluster
