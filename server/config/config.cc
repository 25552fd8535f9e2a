// SPDX-License-Identifier: Apache-2.0
#include "server/config/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "base/ascii.h"
#include "cluster/ring/founding.h"
#include "server/config/config_keys.h"
#include "server/config/config_kinds.h"
#include "server/config/config_reader.h"
#include "server/config/config_values.h"
#include "server/config/config_warnings.h"

namespace kvorum::server {
namespace {

using cluster::Endpoint;
using cluster::Member;

constexpr const char* kLocalHost = "127.0.0.1";

// Nothing and the reason where that fails; pipes may be read too, so the size is found by reading.
std::optional<std::string> read_file(const std::string& path, std::string* why) {
  constexpr size_t kFileBytesMax = 1 << 20;
  std::string text(kFileBytesMax + 1, '\0');
  errno = 0;
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (file != nullptr) text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (file == nullptr || std::ferror(file.get()) != 0) {
    *why = fmt::format("the file cannot be read: {}", std::strerror(errno));
  } else if (text.size() > kFileBytesMax) {
    *why = "this is no configuration: it is larger than 1mb";
  } else {
    return text;
  }
  return std::nullopt;
}

// Reads the sections, then settles which member this node is and what follows from that.
class Loader {
 public:
  Loader(const YAML::Node& root, const Overrides& overrides, ProblemList* problems,
         ConfigReport* report)
      : top_(root, "", top_names(), problems),
        overrides_(overrides),
        problems_(problems),
        report_(report),
        config_(&report->config) {}

  void load() {
    read_keys(top_, *config_);
    file_node_ = std::exchange(config_->node, {});
    file_listen_ = std::exchange(config_->listen, {});
    settle_name();
    settle_engine();
    settle_item();
    settle_eviction();
    settle_addresses();
    settle_place();
    require_secret();
  }

 private:
  void settle_name() {
    const std::vector<FounderConfig>& founders = config_->cluster.founders;
    std::string& name = config_->node.name;
    if (overrides_.name) {
      name = *overrides_.name;
      if (!is_plain_name(name)) {
        problems_->add_option("--name", fmt::format("'{}' is not a name; 1 to 64 letters, digits, "
                                                    "'.', '_' and '-' are",
                                                    name));
      }
    } else if (!file_node_.name.empty()) {
      name = file_node_.name;
    } else if (founders.size() == 1) {
      name = founders.front().member.name;
    } else if (founders.empty()) {
      name = "a";
    } else {
      for (const FounderConfig& founder : founders) report_->choices.push_back(founder.member.name);
    }
    // A file that names its node says `node` and `listen` of that one; started under another name,
    // the process has only its entry among the members.
    if (!file_node_.name.empty() && file_node_.name != name) {
      file_node_ = NodeConfig{};
      file_listen_ = ListenConfig{};
      describes_other_node_ = true;
    }
  }

  void settle_engine() {
    if (!overrides_.engine) return;
    const auto type = parse_engine_type(*overrides_.engine);
    if (type.ok()) {
      config_->engine.type = type.value();
    } else {
      problems_->add_option("--engine", type.status().message());
    }
  }

  void settle_item() {
    if (!overrides_.item) return;
    std::string text = *overrides_.item;
    // As memcached has it: 4m, 512K.
    if (!text.empty()) text.back() = to_lower(text.back());
    if (text.ends_with('k') || text.ends_with('m')) text += 'b';
    const auto bytes = parse_size(text);
    if (!bytes.ok()) {
      problems_->add_option("--max-item-size", bytes.status().message());
    } else if (bytes.value() < kItemLimitLeast || bytes.value() > kValueBytesMax) {
      problems_->add_option("--max-item-size", "allowed are 1kb to 512mb");
    } else {
      config_->limits.item_bytes = bytes.value();
    }
  }

  void settle_eviction() {
    if (config_->engine.eviction == engine::EvictionPolicy::kNone) return;
    const auto& keyspaces = config_->keyspaces;
    const YAML::Node eviction = top_.child("engine")["eviction"];
    std::string problem;
    if (config_->engine.type == EngineType::kLevelDb) {
      problem =
          " is for type memory; with leveldb, memory is a cache of the disk already: what is "
          "not used leaves it, and nothing is lost";
    } else if (std::none_of(keyspaces.begin(), keyspaces.end(), [](const auto& policy) {
                 return policy.conflicts == cluster::ConflictPolicy::kLww;
               })) {
      problem = " takes from keyspaces with conflicts: lww alone, and there is none";
    }
    if (problem.empty()) return;
    problems_->add(eviction.Mark(), "engine.eviction: '" + eviction.Scalar() + "'" + problem);
  }

  // Option, then the file's own words about this node, then its entry among the members, then the
  // file's words about any node, then the usual.
  template <class Value>
  Value first_given(const Value& option, const Value& file, const Value& entry,
                    const Value& usual) const {
    const bool is_about_this_node = !file_node_.name.empty();
    const Value& second = is_about_this_node ? file : entry;
    const Value& third = is_about_this_node ? entry : file;
    for (const Value* value : {&option, &second, &third}) {
      if (!value->empty()) return *value;
    }
    return usual;
  }

  Endpoint option_endpoint(std::string_view option, const std::optional<std::string>& text) {
    if (!text) return {};
    const auto endpoint = Endpoint::parse(*text);
    if (endpoint.ok()) return endpoint.value();
    problems_->add_option(option, fmt::format("'{}': {}", *text, endpoint.status().message()));
    return {};
  }

  void settle_addresses() {
    const FounderConfig* founder = config_->cluster.find_founder(config_->node.name);
    const FounderConfig entry = founder == nullptr ? FounderConfig{} : *founder;
    ListenConfig& listen = config_->listen;
    listen = file_listen_;
    listen.redis = first_given(option_endpoint("--redis", overrides_.redis), file_listen_.redis,
                               entry.member.redis, Endpoint{kLocalHost, kRedisPort});
    listen.memcached =
        first_given(option_endpoint("--memcached", overrides_.memcached), file_listen_.memcached,
                    entry.member.memcached, Endpoint{kLocalHost, kMemcachedPort});
    listen.peer = first_given(option_endpoint("--peer", overrides_.peer), file_listen_.peer,
                              entry.member.peer, Endpoint{kLocalHost, kPeerPort});
    listen.admin = first_given(option_endpoint("--admin", overrides_.admin), file_listen_.admin,
                               entry.member.admin, Endpoint{kLocalHost, kAdminPort});
    config_->node.data_directory =
        first_given(overrides_.data.value_or(""), file_node_.data_directory, entry.data_directory,
                    "./data/" + config_->node.name);
    if (report_->choices.empty()) check_listeners();
  }

  // Two listeners of one process on one address: said at `listen`, where it stands, else at the
  // top.
  void check_listeners() {
    const ListenConfig& listen = config_->listen;
    const std::array<std::pair<std::string_view, const Endpoint*>, 4> listeners{
        {{"redis", &listen.redis},
         {"memcached", &listen.memcached},
         {"peer", &listen.peer},
         {"admin", &listen.admin}}};
    for (size_t second = 1; second < listeners.size(); ++second) {
      for (size_t first = 0; first < second; ++first) {
        if (!(*listeners[first].second == *listeners[second].second)) continue;
        const bool in_file = top_.has("listen") && !describes_other_node_;
        if (!in_file && is_claimed_twice_among_members()) continue;
        problems_->add(in_file ? top_.mark("listen") : top_.mark(),
                       fmt::format("listen: {} and {} would both use {}", listeners[first].first,
                                   listeners[second].first, listeners[second].second->to_text()));
      }
    }
  }

  // Whether read_cluster has already reported this node's entry.
  bool is_claimed_twice_among_members() const {
    const FounderConfig* founder = config_->cluster.find_founder(config_->node.name);
    if (founder == nullptr) return false;
    const Member& member = founder->member;
    std::vector<std::string> given;
    for (const Endpoint* endpoint :
         {&member.redis, &member.memcached, &member.peer, &member.admin}) {
      if (!endpoint->empty()) given.push_back(endpoint->to_text());
    }
    std::sort(given.begin(), given.end());
    return std::adjacent_find(given.begin(), given.end()) != given.end();
  }

  // Rack, zone and weight: a founder's stand in its entry, which every node reads; the node section
  // may repeat them, and says them for a node that founds alone or joins later.
  void settle_place() {
    NodeConfig& node = config_->node;
    std::vector<FounderConfig>& founders = config_->cluster.founders;
    const FounderConfig* founder = config_->cluster.find_founder(node.name);
    node.rack = file_node_.rack;
    node.zone = file_node_.zone;
    node.weight = file_node_.weight;
    if (founder != nullptr) {
      const Member& member = founder->member;
      if (!describes_other_node_) {
        check_place("rack", file_node_.rack, member.rack, member.name);
        check_place("zone", file_node_.zone, member.zone, member.name);
        check_place("weight", std::to_string(file_node_.weight), std::to_string(member.weight),
                    member.name);
      }
      node.rack = member.rack;
      node.zone = member.zone;
      node.weight = member.weight;
    } else if (founders.empty()) {
      Member alone;
      alone.name = node.name;
      alone.peer = config_->listen.peer;
      alone.weight = node.weight;
      alone.rack = node.rack;
      alone.zone = node.zone;
      founders.push_back({alone, ""});
      return;
    }
    config_->cluster.names_members = true;
  }

  // Who reaches a peer port that asks for no secret is a member to it: he reads and writes all.
  void require_secret() {
    if (!config_->cluster.secrets.empty() || config_->peer_insecure) return;
    const Endpoint* address = &config_->listen.peer;
    if (!report_->choices.empty()) {
      for (const FounderConfig& founder : config_->cluster.founders) {
        if (!is_loopback(founder.member.peer.host)) address = &founder.member.peer;
      }
    }
    if (address->empty() || is_loopback(address->host)) return;
    problems_->add(
        top_.has("cluster") ? top_.mark("cluster") : top_.mark(),
        fmt::format("cluster.secret is missing: the peer port {} can be reached from other hosts, "
                    "and without a secret whoever reaches it is taken for a member; set the same "
                    "cluster.secret (16 bytes or more) on every node, or let peers listen on a "
                    "loopback address, or say `peer: {{insecure: true}}` where the network keeps "
                    "strangers out",
                    address->to_text()));
  }

  void check_place(std::string_view key, const std::string& here, const std::string& there,
                   const std::string& name) {
    const ConfigSection node(top_.child("node"), "node", names_of<Config>(keys_of_section("node")),
                             &ignored_);
    if (!node.has(key) || here == there) return;
    problems_->add(
        node.mark(key),
        fmt::format("node.{0}: '{1}' differs from that of member '{2}', {3}; all nodes "
                    "go by cluster.members, so set it there",
                    key, here, name, there.empty() ? "which has none" : "'" + there + "'"));
  }

  const ConfigSection top_;
  const Overrides& overrides_;
  ProblemList* const problems_;
  ProblemList ignored_{""};  // of sections that are read a second time
  ConfigReport* const report_;
  Config* const config_;
  NodeConfig file_node_;  // as the file says, empty where it is silent
  ListenConfig file_listen_;
  bool describes_other_node_ = false;
};

}  // namespace

const FounderConfig* ClusterConfig::find_founder(std::string_view its_name) const {
  const auto found =
      std::find_if(founders.begin(), founders.end(),
                   [&](const FounderConfig& founder) { return founder.member.name == its_name; });
  return found == founders.end() ? nullptr : &*found;
}

bool Config::is_founder() const { return cluster.find_founder(node.name) != nullptr; }

std::string Problem::to_text() const {
  return file.empty() ? text : fmt::format("{}:{}:{}: {}", file, line, column, text);
}

std::string ConfigReport::to_text() const {
  std::string lines;
  for (const Problem& problem : problems) lines += problem.to_text() + "\n";
  return lines;
}

std::string ConfigReport::warnings_text() const {
  std::string lines;
  for (Problem warning : warnings) {
    warning.text.insert(0, "warning: ");
    lines += warning.to_text() + "\n";
  }
  return lines;
}

std::string ConfigReport::choose_name_text(std::string_view file_name) const {
  return fmt::format("{} describes several nodes; choose one with --name: {}", file_name,
                     fmt::join(choices, ", "));
}

ConfigReport load_config(std::string_view text, std::string_view file_name,
                         const Overrides& overrides) {
  ConfigReport report;
  ProblemList problems(file_name);
  try {
    const std::string document(text);
    const YAML::Node root = YAML::Load(document);
    if (const auto second = find_second_document(document)) {
      problems.add(*second, "something begins here after the end of the document");
    }
    Loader(root, overrides, &problems, &report).load();
    if (problems.empty()) report.warnings = find_warnings(root, report, file_name);
  } catch (const YAML::Exception& error) {
    problems.add(error.mark, "YAML: " + error.msg);
  }
  report.problems = problems.take_sorted();
  return report;
}

ConfigReport load_config(std::string_view text, std::string_view file_name, std::string_view name) {
  Overrides overrides;
  overrides.name = std::string(name);
  return load_config(text, file_name, overrides);
}

ConfigReport load_config_file(const std::string& path, const Overrides& overrides) {
  std::string why;
  if (const auto text = read_file(path, &why)) return load_config(*text, path, overrides);
  ConfigReport report;
  report.problems.push_back({"", 0, 0, fmt::format("{}: {}", path, why)});
  return report;
}

cluster::Founding founding_of(const Config& config) {
  cluster::Founding founding;
  founding.cluster_name = config.cluster.name;
  founding.partitions = config.cluster.partitions;
  founding.partitioner = config.cluster.partitioner;
  founding.keyspaces = config.keyspaces;
  founding.placement = config.cluster.placement;
  for (const FounderConfig& founder : config.cluster.founders) {
    founding.members.push_back(founder.member);
  }
  return founding;
}

cluster::ClusterView make_view(const Config& config) {
  cluster::ClusterView view = cluster::found_view(founding_of(config), config.node.name);
  if (view.is_member()) {
    Member& self = view.members[view.self];
    self.redis = config.listen.redis;
    self.memcached = config.listen.memcached;
    self.admin = config.listen.admin;
  }
  return view;
}

}  // namespace kvorum::server
