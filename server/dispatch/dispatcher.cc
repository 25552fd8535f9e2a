// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch/dispatcher.h"

#include <utility>

namespace kvorum::server {

Dispatcher::Dispatcher(cluster::Coordinator& coordinator, const cluster::NodeParts& parts,
                       NodeServices& services, DispatcherOptions options)
    : coordinator_(coordinator),
      services_(services),
      parts_(parts),
      options_(std::move(options)),
      clients_(coordinator, {options_.first_client_id, options_.client_id_step,
                             options_.pipeline_bytes_max, options_.in_flight}),
      pub_sub_(clients_, options_.pub_sub),
      tracking_({coordinator, clients_, pub_sub_}, options_.tracking),
      monitors_({clients_, pub_sub_, tracking_.hub()}, options_.tracking.reactor),
      watchers_({clients_, pub_sub_, tracking_.hub(), services}, options_.tracking.reactor),
      facts_({coordinator, parts_, services, options_, clients_, traffic_, pub_sub_, tracking_,
              monitors_, watchers_}),
      due_(coordinator, clients_, calls_),
      completions_({clients_, calls_, due_, facts_, traffic_, counters_, pub_sub_, tracking_}),
      stages_({coordinator, clients_, calls_, due_, facts_, completions_, *parts_.clock, options_,
               pub_sub_, tracking_}),
      commands_(
          {parts_, coordinator, options_, due_, clients_, facts_, traffic_, counters_, monitors_},
          {coordinator, services, options_, clients_, calls_, due_, facts_, completions_, traffic_,
           *parts.clock, stages_, pub_sub_, tracking_, monitors_, *parts.table}) {
  coordinator.set_sinks(&completions_, &completions_);
}

void Dispatcher::set_limits(const DispatcherLimits& limits) {
  options_.passwords = limits.passwords;
  options_.pipeline_bytes_max = limits.pipeline_bytes_max;
  options_.value_warn_bytes = limits.value_warn_bytes;
  clients_.set_pipeline_bytes_max(limits.pipeline_bytes_max);
  if (limits.passwords.empty()) clients_.admit_all();
}

void Dispatcher::add(ClientState& client) {
  clients_.add(client);
  tracking_.add(client);
  watchers_.tell_connection(client, true);
}

void Dispatcher::take_tracking_mail(uint64_t now_us) {
  TrackingMail mail;
  tracking_.hub().take(options_.tracking.reactor, &mail);
  tracking_.take_mail(mail, now_us);
  monitors_.take(mail, now_us);
  watchers_.take(mail);
}

void Dispatcher::remove(ClientState& client) {
  monitors_.remove(client.session);
  watchers_.remove(client);
  watchers_.tell_connection(client, false);
  tracking_.remove(client);
  pub_sub_.remove(client);
  clients_.remove(client);
  calls_.drop_unsent(client.unsent);
}

void Dispatcher::tell_gone() {
  const bool has_events = pub_sub_.tells_changes();
  for (const cluster::ExpiredKey& expired : coordinator_.take_expired(has_events)) {
    pub_sub_.note_change(expired.keyspace, expired.key, {KeyEvent::kExpired});
  }
  const bool is_watched = (watchers_.watched() & kWatchEvictions) != 0;
  for (const cluster::EvictedKey& evicted : coordinator_.take_evicted(has_events || is_watched)) {
    if (has_events) pub_sub_.note_change(evicted.keyspace, evicted.key, {KeyEvent::kEvicted});
    if (is_watched) watchers_.tell_eviction(evicted);
  }
}

}  // namespace kvorum::server
