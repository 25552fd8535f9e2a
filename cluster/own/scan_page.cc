// SPDX-License-Identifier: Apache-2.0
#include "cluster/own/scan_page.h"

#include <algorithm>

#include "base/check.h"
#include "cluster/own/marked_record.h"
#include "cluster/own/node_parts.h"
#include "cluster/version/object_codec.h"
#include "cluster/wire/keyspace_messages.h"

namespace kvorum::cluster {
namespace {

class PageWriter {
 public:
  PageWriter(const NodeParts& parts, ScanPage* page, bool values)
      : parts_(parts), page_(page), values_(values) {}

  void operator()(const engine::ScanItem& item) {
    ++page_->shown;
    decode_record(item.record, *parts_.authors, record_);
    Object& object = record_.object;
    parts_.marks->apply(item.key.keyspace, object);
    if (object.empty()) return;
    if (values_ && put_whole(item.key, object)) return;
    bool live = false;
    for (Version& version : object.versions) {
      version.bytes = {};
      live |= version.type != TypeTag::kTombstone;
    }
    for (Version& version : object.outvoted) version.bytes = {};
    page_->live += live;
    stripped_.clear();
    encode_object(object, stripped_);
    put_page_item(page_->items, {item.key.position.high, item.key.key, stripped_});
  }

 private:
  bool put_whole(const KeyRef& key, const Object& object) {
    size_t bytes = 0;
    for (const Version& version : object.versions) bytes += version.bytes.size();
    for (const Version& version : object.outvoted) bytes += version.bytes.size();
    if (bytes > ScanPage::kWholeMax || page_->values.size() > ScanPage::kValuesMax) return false;
    stripped_.clear();
    encode_object(object, stripped_);
    put_page_item(page_->values, {key.position.high, key.key, stripped_});
    ++page_->whole;
    return true;
  }

  const NodeParts& parts_;
  ScanPage* page_;
  const bool values_;
  Record record_;
  std::string stripped_;
};

engine::ScanRange stretch_of(const RangeLoad& range) {
  return {range.keyspace, range.partition, range.from, range.count_min, range.end};
}

ScanPage build_tree(const NodeParts& parts, const RangeLoad& range, ScanPage page) {
  const Result<engine::TreeBuild> built =
      parts.table->store_reader().build_tree(range.keyspace, range.partition);
  if (!built.ok()) page.access = engine::Access::kRefused;
  if (built.ok()) page.tree = built.value();
  return page;
}

// What is to change is brought into memory, where it changes as any other object does.
using Change = FunctionRef<engine::RecordChange(const KeyRef& key, engine::RecordView bytes)>;

bool change_stored(const NodeParts& parts, const KeyRef& key, Change change) {
  constexpr int kAttemptsMax = 8;  // each lost to an eviction at that moment
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    if (!parts.table->store_reader().load(key).ok()) return false;
    const engine::UpdateResult result = parts.table->update(key, [&](engine::RecordView bytes) {
      if (bytes.absent()) return engine::RecordChange{};
      return change(key, bytes);
    });
    if (result.access != engine::Access::kNotResident) {
      return result.access == engine::Access::kDone;
    }
  }
  return false;
}

// Changes the stored objects of a stretch that `picks` wants.
ScanPage change_page(const NodeParts& parts, const RangeLoad& range,
                     FunctionRef<bool(const engine::ScanItem& item)> picks, Change change) {
  ScanPage page;
  std::vector<std::pair<std::string, Position>> picked;
  const Result<engine::ScanEnd> end =
      parts.table->store_reader().scan(stretch_of(range), [&](const engine::ScanItem& item) {
        ++page.shown;
        if (picks(item)) picked.emplace_back(item.key.key, item.key.position);
      });
  bool ok = end.ok();
  for (const auto& [key, position] : picked) {
    ok = ok && change_stored(parts, KeyRef{key, position, range.keyspace}, change);
  }
  if (!ok) page.access = engine::Access::kRefused;
  if (ok) page.done = end.value().done;
  if (ok) page.next = end.value().next;
  page.reader = range.reader;
  return page;
}

ScanPage sweep_marks(const NodeParts& parts, const RangeLoad& range) {
  Record record;
  MarkedRecord marked(parts);
  const auto covered = [&](const engine::ScanItem& item) {
    decode_record(item.record, *parts.authors, record);
    return parts.marks->apply(range.keyspace, record.object);
  };
  return change_page(parts, range, covered, [&](const KeyRef& key, engine::RecordView bytes) {
    return marked.change_of(key, bytes);
  });
}

ScanPage drop_page(const NodeParts& parts, const RangeLoad& range) {
  DroppedRecord dropped(parts);
  const auto all = [](const engine::ScanItem&) { return true; };
  return change_page(parts, range, all, [&](const KeyRef& key, engine::RecordView bytes) {
    return dropped.change_of(key, bytes);
  });
}

}  // namespace

ScanPage read_resident_page(const NodeParts& parts, const RangeLoad& range) {
  KVORUM_CHECK(range.count_min > 0);  // else the next page would be this one again
  ScanPage page;
  PageWriter writer(parts, &page, range.values);
  const engine::ScanEnd end = parts.table->scan(stretch_of(range), writer);
  page.access = end.access;
  page.done = end.done;
  page.next = end.next;
  return page;
}

ScanPage read_stored_page(const NodeParts& parts, const RangeLoad& range) {
  ScanPage page;
  page.reader = range.reader;
  if (range.reader == RangeLoad::Reader::kTreeKeeper) return build_tree(parts, range, page);
  if (range.reader == RangeLoad::Reader::kMarkSweeper) return sweep_marks(parts, range);
  if (range.reader == RangeLoad::Reader::kRangeDropper) return drop_page(parts, range);
  PageWriter writer(parts, &page, range.values);
  const Result<engine::ScanEnd> end = parts.table->store_reader().scan(stretch_of(range), writer);
  if (!end.ok()) {
    page = {};
    page.reader = range.reader;
    page.access = engine::Access::kRefused;
    return page;
  }
  page.access = end.value().access;
  page.done = end.value().done;
  page.next = end.value().next;
  return page;
}

}  // namespace kvorum::cluster
