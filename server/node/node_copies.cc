// SPDX-License-Identifier: Apache-2.0
#include "server/node/node_copies.h"

#include <algorithm>

#include "base/check.h"
#include "cluster/copies/tree_roots.h"
#include "server/process/logging.h"

namespace kvorum::server {

void NodeCopies::judge() {
  KVORUM_CHECK(!whole_);
  judge_whole();
  agree();
  const cluster::ClusterView& view = *self_.view;
  exchanges_ = std::make_unique<cluster::CleanExchanges>(view.ring.partitions());
  if (view.is_member()) {
    frontier_ = std::make_unique<cluster::FrontierProtocol>(
        cluster::FrontierParts{&stores_.objects(), &stores_.hints().table(), &stores_.clock(),
                               &stores_.marks(), self_.view, &former_, whole_.get()},
        stores_.incarnation());
    exchanges_->set_observer(frontier_.get());
  }
  if (!stores_.is_replicated()) return;
  losses_ = std::make_unique<cluster::LostCopies>(whole_.get(), frontier_.get(),
                                                  [this] { return stores_.renew_incarnation(); });
  stores_.objects().store_health().set_loss_listener(losses_.get());
}

void NodeCopies::judge_whole() {
  // What an unclean stop, an empty directory or a lost table file cost is elsewhere.
  const bool intact = stores_.is_durable() && stores_.session().was_clean;
  const bool alone = self_.is_alone();
  whole_ =
      std::make_unique<cluster::WholeReplicas>(self_.view->ring.partition_bits(), intact || alone);
  const auto& differing = stores_.objects().trees().differing();
  for (const engine::TreePlace& place : differing) {
    if (!alone) whole_->set(place.keyspace, place.partition, false);
  }
  if (!differing.empty()) {
    log_error("{} partitions do not hold what their hash trees say: objects were lost",
              differing.size());
  }
  if (intact && !alone && stores_.session().former_cluster_id == 0) mark_lost_roots();
}

void NodeCopies::mark_lost_roots() {
  const size_t lost =
      cluster::mark_differing_roots(stores_.objects(), stores_.session().roots, *whole_);
  if (lost != 0) {
    log_error("{} partitions are not what they were at the last stop; they are repaired", lost);
  }
}

void NodeCopies::add_to(cluster::NodeParts* parts) {
  KVORUM_CHECK(whole_ != nullptr);
  parts->whole = whole_.get();
  parts->exchanges = exchanges_.get();
  parts->claims = &claims_;
  parts->frontier = frontier_.get();
  parts->losses = losses_.get();
  parts->agreement = agreement_.get();
  parts->former = agreement_ ? &former_ : nullptr;
}

// By the configurations that the copies followed so far.
void NodeCopies::judge_new() {
  const cluster::ClusterView& view = *self_.view;
  size_t marked = 0;
  const std::shared_ptr<const cluster::FormerList> list = former_.list();
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < view.ring.partitions(); ++partition) {
      if (!view.is_primary(view.self, keyspace, partition)) continue;
      const bool stays = std::all_of(list->begin(), list->end(), [&](const auto& placement) {
        return cluster::stays_whole(view, placement, keyspace, partition);
      });
      if (stays || !whole_->is_whole(keyspace, partition)) continue;
      whole_->note_new(keyspace, partition);
      ++marked;
    }
  }
  if (marked == 0) return;
  log_warning(
      "the configuration is not that of the last stop: {} of this node's copies are new, or are "
      "read by other rules, and count once they were compared with those of before",
      marked);
}

void NodeCopies::agree() {
  if (!goes_by_files()) return;
  const std::vector<cluster::Configuration>& kept = stores_.session().configurations;
  for (const cluster::Configuration& configuration : kept) former_.add(configuration, *self_.view);
  if (has_peers()) judge_new();
  cluster::HybridClock& clock = stores_.clock();
  agreement_ = std::make_unique<cluster::Agreement>(cluster::AgreementParts{
      self_.view, &former_, whole_.get(), &clock, kept, clock.reading(self_.wall_ms())});
  agreement_->set_listener([this] { on_agreement(); });
  on_agreement();
}

// By the reactor that heard it.
void NodeCopies::on_agreement() {
  const MutexLock lock(agreement_lock_);
  const std::vector<std::string> problems = agreement_->problems();
  for (const std::string& problem : problems) {
    const bool told =
        std::find(told_problems_.begin(), told_problems_.end(), problem) != told_problems_.end();
    if (!told) log_warning("configurations differ: {}", problem);
  }
  if (problems.empty() && !told_problems_.empty()) log_info("configurations agree");
  told_problems_ = problems;
  stores_.keep_configurations(agreement_->kept());
}

}  // namespace kvorum::server
