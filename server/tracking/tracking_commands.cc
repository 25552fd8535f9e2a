// SPDX-License-Identifier: Apache-2.0
// CLIENT TRACKING and what belongs to it, and MONITOR. Errors are word for word Redis's, but for
// those about other nodes.
#include <fmt/format.h>

#include "server/commands/words.h"
#include "server/tracking/monitors.h"
#include "server/tracking/tracking.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

constexpr uint64_t kCoverageUs = 1'000'000;  // so long the other nodes are waited for
constexpr uint64_t kLookAgainUs = 2'000;

constexpr std::string_view kOneRedirect = "ERR A client can only redirect to a single other client";
constexpr std::string_view kNoRedirect = "ERR The client ID you want redirect to does not exist";
constexpr std::string_view kPrefixAlone = "ERR PREFIX option requires BCAST mode to be enabled";
constexpr std::string_view kSwitchesBroadcast =
    "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then "
    "re-enabling it with a different mode.";
constexpr std::string_view kBroadcastOpts = "ERR OPTIN and OPTOUT are not compatible with BCAST";
constexpr std::string_view kBothOpts = "ERR You can't specify both OPTIN mode and OPTOUT mode";
constexpr std::string_view kSwitchesOpts =
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then "
    "re-enabling it with a different mode.";
constexpr std::string_view kCachingAlone =
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
    "OPTOUT mode enabled";
constexpr std::string_view kCachingYes =
    "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.";
constexpr std::string_view kCachingNo =
    "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.";

struct TrackingOptions {
  TrackingMode mode;
  std::vector<std::string_view> prefixes;
};

bool read_redirect(std::string_view word, Tracking& tracking, Plan& plan, TrackingMode* mode) {
  if (mode->redirect != 0) return plan.fail(kOneRedirect), false;
  const std::optional<int64_t> id = protocol::parse_int64(word);
  if (!id) return plan.fail(protocol::kNotAnInteger), false;
  const auto client = static_cast<uint64_t>(*id);
  if (!tracking.hub().find_client(client)) return plan.fail(kNoRedirect), false;
  mode->redirect = client;
  return true;
}

bool read_options(Words words, Tracking& tracking, Plan& plan, TrackingOptions* options) {
  TrackingMode& mode = options->mode;
  for (size_t at = 3; at < words.size(); ++at) {
    const std::string_view word = words[at];
    const bool more = at + 1 < words.size();
    if (equals_ignoring_case(word, "redirect") && more) {
      if (!read_redirect(words[++at], tracking, plan, &mode)) return false;
    } else if (equals_ignoring_case(word, "bcast")) {
      mode.broadcast = true;
    } else if (equals_ignoring_case(word, "optin")) {
      mode.opt_in = true;
    } else if (equals_ignoring_case(word, "optout")) {
      mode.opt_out = true;
    } else if (equals_ignoring_case(word, "noloop")) {
      mode.no_loop = true;
    } else if (equals_ignoring_case(word, "prefix") && more) {
      options->prefixes.push_back(words[++at]);
    } else {
      return plan.fail(protocol::kSyntaxError), false;
    }
  }
  return true;
}

// In Redis's order; empty: they fit.
std::string_view conflict_of(const TrackingOptions& options, const TrackingMode& now) {
  const TrackingMode& mode = options.mode;
  if (!mode.broadcast && !options.prefixes.empty()) return kPrefixAlone;
  if (now.on && now.broadcast != mode.broadcast) return kSwitchesBroadcast;
  if (mode.broadcast && (mode.opt_in || mode.opt_out)) return kBroadcastOpts;
  if (mode.opt_in && mode.opt_out) return kBothOpts;
  if ((mode.opt_in && now.opt_out) || (mode.opt_out && now.opt_in)) return kSwitchesOpts;
  return {};
}

bool overlap(std::string_view a, std::string_view b) {
  return a.starts_with(b) || b.starts_with(a);
}

bool prefixes_fit(const TrackingOptions& options, const std::vector<std::string>& present,
                  Plan& plan) {
  constexpr std::string_view kText =
      "ERR Prefix '{}' overlaps with {} prefix '{}'. Prefixes for a single client must not "
      "overlap.";
  const std::vector<std::string_view>& wanted = options.prefixes;
  for (size_t at = 0; at < wanted.size(); ++at) {
    for (const std::string& known : present) {
      if (!overlap(known, wanted[at])) continue;
      plan.fail_owned(fmt::format(kText, wanted[at], "an existing", known));
      return false;
    }
    for (size_t other = at + 1; other < wanted.size(); ++other) {
      if (!overlap(wanted[at], wanted[other])) continue;
      plan.fail_owned(fmt::format(kText, wanted[at], "another provided", wanted[other]));
      return false;
    }
  }
  return true;
}

// False: it is refused, or waits until the other nodes tell this one of changes.
bool is_covered(const CommandCall& call, Tracking& tracking, Plan& plan) {
  using Coverage = TrackingHub::Coverage;
  const uint64_t now_us = call.now.steady_us;
  uint64_t& until_us = call.session.tracking_until_us;
  cluster::MemberIndex too_old = cluster::kNoMember;
  const Coverage coverage = tracking.hub().want(now_us, &too_old);
  if (coverage == Coverage::kTooOld) {
    const cluster::ClusterView& view = call.facts.view();
    plan.fail_owned(fmt::format(
        "ERR CLIENT TRACKING needs all nodes to tell of changes, and {} runs a version that cannot",
        too_old < view.members.size() ? view.members[too_old].name : "another one"));
    return false;
  }
  if (until_us == 0) until_us = now_us + kCoverageUs;
  if (coverage == Coverage::kAwaited && now_us < until_us) {
    plan.again_at_us = now_us + kLookAgainUs;
    return false;
  }
  until_us = 0;
  return true;
}

void client_tracking(const CommandCall& call, Plan& plan) {
  Tracking& tracking = *call.facts.tracking();
  TrackingOptions options;
  if (!read_options(call.words, tracking, plan, &options)) return;
  if (equals_ignoring_case(call.words[2], "off")) {
    tracking.disable(call.session);
    return plan.answer(Reply::ok());
  }
  if (!equals_ignoring_case(call.words[2], "on")) return plan.fail(protocol::kSyntaxError);
  const std::string_view conflict = conflict_of(options, call.session.tracking);
  if (!conflict.empty()) return plan.fail(conflict);
  if (options.mode.broadcast && !prefixes_fit(options, tracking.prefixes(call.session), plan)) {
    return;
  }
  if (!is_covered(call, tracking, plan)) return;
  options.mode.caching = call.session.tracking.caching;
  tracking.enable(call.session, options.mode, options.prefixes);
  plan.answer(Reply::ok());
}

void client_caching(const CommandCall& call, Plan& plan) {
  TrackingMode& mode = call.session.tracking;
  if (!mode.on) return plan.fail(kCachingAlone);
  if (equals_ignoring_case(call.words[2], "yes")) {
    if (!mode.opt_in) return plan.fail(kCachingYes);
  } else if (equals_ignoring_case(call.words[2], "no")) {
    if (!mode.opt_out) return plan.fail(kCachingNo);
  } else {
    return plan.fail(protocol::kSyntaxError);
  }
  mode.caching = true;
  plan.answer(Reply::ok());
}

Reply redirect_of(const TrackingMode& mode) {
  return Reply::integer(mode.on ? static_cast<int64_t>(mode.redirect) : -1);
}

void client_getredir(const CommandCall& call, Plan& plan) {
  plan.answer(redirect_of(call.session.tracking));
}

void client_trackinginfo(const CommandCall& call, Plan& plan) {
  const TrackingMode& mode = call.session.tracking;
  std::vector<Reply> flags;
  const auto add = [&](bool is_so, std::string_view name) {
    if (is_so) flags.push_back(Reply::bulk(name));
  };
  add(true, mode.on ? "on" : "off");
  add(mode.broadcast, "bcast");
  add(mode.opt_in, "optin");
  add(mode.opt_in && mode.caching, "caching-yes");
  add(mode.opt_out, "optout");
  add(mode.opt_out && mode.caching, "caching-no");
  add(mode.no_loop, "noloop");
  add(mode.broken_redirect, "broken_redirect");
  std::vector<Reply> prefixes;
  for (std::string& prefix : call.facts.tracking()->prefixes(call.session)) {
    prefixes.push_back(Reply::bulk_owned(std::move(prefix)));
  }
  std::vector<Reply> fields;
  add_field(fields, "flags", Reply::set(std::move(flags)));
  add_field(fields, "redirect", redirect_of(mode));
  add_field(fields, "prefixes", Reply::array(std::move(prefixes)));
  plan.answer(Reply::map(std::move(fields)));
}

void monitor(const CommandCall& call, Plan& plan) {
  if (call.session.queued_commands >= 0) {
    return plan.fail("ERR MONITOR isn't allowed for DENY BLOCKING client");
  }
  if (call.session.monitors) return plan.answer(Reply::none());
  call.facts.monitors()->add(call.session);
  plan.answer(Reply::ok());
}

constexpr uint32_t kPlain = kNoScript | kLoading | kStale;

constexpr CommandRow kRows[] = {
    {"client|caching", 3, kPlain, 0, 0, 0, Group::kConnection, "6.0.0", "YES | NO",
     "Whether the keys of the next command are remembered: with OPTIN, or OPTOUT.", "O(1)",
     client_caching},
    {"client|getredir", 2, kPlain, 0, 0, 0, Group::kConnection, "6.0.0", "",
     "Which client is told instead of this one of keys that changed.", "O(1)", client_getredir},
    {"client|tracking", -3, kPlain, 0, 0, 0, Group::kConnection, "6.0.0",
     "ON | OFF [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] "
     "[NOLOOP]",
     "Tells this connection of the keys that it has read and that changed since, at any node, so "
     "that it can cache them.",
     "O(1)", client_tracking},
    {"client|trackinginfo", 2, kPlain, 0, 0, 0, Group::kConnection, "6.2.0", "",
     "How this connection is told of keys that changed.", "O(1)", client_trackinginfo},
    {"monitor", 1, kAdmin | kPlain, 0, 0, 0, Group::kServer, "1.0.0", "",
     "Shows the commands that all clients of this node run. Passwords, and commands of "
     "administrators, are not shown.",
     "O(1) for each command", monitor},
};

}  // namespace

std::span<const CommandRow> tracking_commands() { return kRows; }

}  // namespace kvorum::server
