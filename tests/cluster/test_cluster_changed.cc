// SPDX-License-Identifier: Apache-2.0
// Nodes of a TestCluster that start again under another configuration.
#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {

void TestCluster::restart_changed_unlinked(size_t node,
                                           const std::function<void(Founding&)>& adjust) {
  TestNode& its = *nodes[node];
  isolate(node);
  std::vector<Configuration> kept = {configuration_of(its.coordinator->view())};
  if (its.agreement) kept = its.agreement->kept();
  its.coordinator.reset();
  Founding changed = founding_;
  adjust(changed);
  const auto own_view =
      std::make_shared<const ClusterView>(found_view(changed, founding_.members[node].name));
  its.renewed_incarnation = its.incarnation += 1000;
  its.exchanges = std::make_unique<CleanExchanges>(own_view->ring.partitions());
  its.former.clear();
  for (const Configuration& configuration : kept) its.former.add(configuration, *own_view);
  for (uint8_t db = 0; db < kKeyspacesMax; ++db) {
    for (uint32_t partition = 0; partition < own_view->ring.partitions(); ++partition) {
      if (!own_view->is_primary(own_view->self, db, partition)) continue;
      for (const FormerPlacement& placement : *its.former.list()) {
        if (!stays_whole(*own_view, placement, db, partition)) its.whole->note_new(db, partition);
      }
    }
  }
  its.agreement = std::make_unique<Agreement>(AgreementParts{
      own_view, &its.former, its.whole.get(), &its.clock, kept, Hlc::from_ms(wall_ms)});
  its.start(own_view, options_);
}

void TestCluster::restart_changed(size_t node, const std::function<void(Founding&)>& adjust) {
  restart_changed_unlinked(node, adjust);
  for (size_t other = 0; other < nodes.size(); ++other) {
    if (other != node) heal(node, other);
  }
}

}  // namespace kvorum::cluster
