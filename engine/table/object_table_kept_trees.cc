// SPDX-License-Identifier: Apache-2.0
// The hash trees in the store: the tail grows with each commit, pages are written in passes over
// all partitions, a bounded number of bytes at a time.
#include "engine/table/object_table.h"
#include "engine/table/object_table_impl.h"
#include "engine/table/tree_planting.h"

namespace kvorum::engine {

// To the batch whose objects it speaks of.
void ObjectTable::Impl::add_tree_tail() {
  if (tree_changes.empty()) return;
  put_tree_tail(batch, kept.end++, tree_changes);
  tree_changes.clear();
  shared.trees_changed.store(true, std::memory_order_relaxed);
}

void ObjectTable::Impl::begin_tree_pass() {
  kept.pass_end = kept.end;
  kept.skipped = false;
  shared.trees_changed.store(false, std::memory_order_relaxed);
}

// True where the last table was reached.
bool ObjectTable::Impl::add_tree_pages(size_t bytes_max) {
  std::string page;
  const size_t count = table_count.load(std::memory_order_acquire);
  for (; kept.hand < count; ++kept.hand) {
    if (batch.bytes() >= bytes_max) return false;
    PartitionTable* table = tables[kept.hand].load(std::memory_order_acquire);
    if (table == nullptr) continue;
    page.clear();
    bool written;
    {
      const std::lock_guard guard(table->lock());
      written = table->write_tree_page(page);
      kept.skipped |= table->distrusted();
    }
    if (written) put_tree_page(batch, table->tree_place(), page);
  }
  return true;
}

// What reached the store of the last writes is not known: all is written anew.
void ObjectTable::Impl::forget_kept_trees() {
  tree_changes.clear();
  kept.hand = 0;
  kept.complete = false;
  if (!shared.options.keeps_trees) return;
  for_each_table([](PartitionTable& table) {
    const std::lock_guard guard(table.lock());
    table.forget_kept_tree();
  });
}

void ObjectTable::Impl::plant_empty(const KeptTrees& kept_trees, TreePlanting& planting) {
  for (const auto& [place, tree] : kept_trees.trees) {
    if (place.partition >> shared.options.partition_bits != 0) continue;  // of another ring
    PartitionTable& table = get(place.keyspace, place.partition);
    if (table.record_count() == 0) planting.plant_empty(table);
  }
  differing_trees = planting.differing();
}

Result<bool> ObjectTable::keep_trees(size_t bytes_max) {
  Impl& impl = *impl_;
  if (failed()) return Status(Code::kUnavailable, "the store failed and was not reopened yet");
  if (trees_kept()) return true;
  if (impl.kept.hand == 0) impl.begin_tree_pass();
  const bool done = impl.add_tree_pages(bytes_max);
  if (done && !impl.kept.skipped) {
    for (; impl.kept.begin < impl.kept.pass_end; ++impl.kept.begin) {
      erase_tree_tail(impl.batch, impl.kept.begin);
    }
    if (!impl.kept.complete) put_trees_complete(impl.batch);
    impl.kept.complete = true;
  }
  if (done) impl.kept.hand = 0;
  if (impl.batch.empty()) return done;
  const Status status = impl.shared.options.store->write(impl.batch, false);
  impl.batch.clear();
  if (status.ok()) return done;
  impl.shared.failed.store(true, std::memory_order_release);
  impl.forget_kept_trees();
  return status;
}

bool ObjectTable::trees_kept() const {
  return impl_->kept.hand == 0 && !impl_->shared.trees_changed.load(std::memory_order_relaxed);
}

const std::vector<TreePlace>& ObjectTable::differing_trees() const {
  return impl_->differing_trees;
}

}  // namespace kvorum::engine
