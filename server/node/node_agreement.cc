// SPDX-License-Identifier: Apache-2.0
// The configuration of a node beside those of its former sessions and of the other nodes: which
// copies are new, what is kept in the data directory, what is told.
#include <algorithm>

#include "server/node/node_impl.h"
#include "server/process/logging.h"

namespace kvorum::server {

// By the configurations that the copies followed so far.
void Node::Impl::judge_new_copies() {
  size_t marked = 0;
  const std::shared_ptr<const cluster::FormerList> list = former.list();
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < view->ring.partitions(); ++partition) {
      if (!view->is_primary(view->self, keyspace, partition)) continue;
      const bool stays = std::all_of(list->begin(), list->end(), [&](const auto& placement) {
        return cluster::stays_whole(*view, placement, keyspace, partition);
      });
      if (stays || !whole->is_whole(keyspace, partition)) continue;
      whole->note_new(keyspace, partition);
      ++marked;
    }
  }
  if (marked == 0) return;
  log_warning(
      "the configuration is not that of the last stop: {} of this node's copies are new, or are "
      "read by other rules, and count once they were compared with those of before",
      marked);
}

void Node::Impl::agree() {
  if (!view->is_member()) return;
  for (const cluster::Configuration& kept : session.configurations) former.add(kept, *view);
  if (view->members.size() > 1) judge_new_copies();
  agreement = std::make_unique<cluster::Agreement>(cluster::AgreementParts{
      view, &former, whole.get(), &clock, session.configurations, clock.reading(wall_ms())});
  agreement->set_listener([this] { on_agreement(); });
  parts.node.former = &former;
  parts.node.agreement = agreement.get();
  on_agreement();
}

// By the reactor that heard it.
void Node::Impl::on_agreement() {
  const std::lock_guard lock(agreement_lock);
  const std::vector<std::string> problems = agreement->problems();
  for (const std::string& problem : problems) {
    const bool told =
        std::find(told_problems.begin(), told_problems.end(), problem) != told_problems.end();
    if (!told) log_warning("configurations differ: {}", problem);
  }
  if (problems.empty() && !told_problems.empty()) log_info("configurations agree");
  told_problems = problems;
  if (!facts) return;
  const std::vector<cluster::Configuration> kept = agreement->kept();
  if (kept == session.configurations) return;
  session.configurations = kept;
  if (!committer) return note_store_trouble(facts->keep_configurations(kept));
  committer->run_on_store_thread([this] {
    const std::lock_guard last_wins(agreement_lock);
    note_store_trouble(facts->keep_configurations(session.configurations));
  });
}

}  // namespace kvorum::server
