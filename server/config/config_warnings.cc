// SPDX-License-Identifier: Apache-2.0
#include "server/config/config_warnings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "server/config/config_reader.h"
#include "server/config/config_values.h"

namespace kvorum::server {
namespace {

constexpr std::array<std::string_view, 3> kClientListeners{"redis", "memcached", "admin"};

YAML::Node child(const YAML::Node& node, std::string_view key) {
  if (!node.IsDefined() || !node.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
  return node[std::string(key)];
}

class WarningFinder {
 public:
  WarningFinder(const YAML::Node& root, const ConfigReport& report, std::string_view file)
      : root_(root), report_(report), config_(report.config), warnings_(file) {}

  std::vector<Problem> find() {
    look_at_secrets();
    look_at_password();
    look_at_peers();
    look_at_keyspaces();
    look_for_variables(root_, "");
    return warnings_.take_sorted();
  }

 private:
  void look_at_secrets() {
    const YAML::Node secret = child(child(root_, "cluster"), "secret");
    for (size_t i = 0; i < config_.cluster.secrets.size(); ++i) {
      const size_t bytes = config_.cluster.secrets[i].size();
      if (bytes >= kSecretBytesMin) continue;
      warnings_.add(secret.IsSequence() ? secret[i].Mark() : secret.Mark(),
                    fmt::format("cluster.secret: {} bytes can be guessed; use {} or more, as from "
                                "`openssl rand -base64 24`",
                                bytes, kSecretBytesMin));
    }
  }

  // A listener of the file that other hosts reach.
  struct Open {
    YAML::Mark mark;
    std::string name, address;
  };

  void add_open(const YAML::Node& section, std::vector<Open>* all) {
    for (const std::string_view name : kClientListeners) {
      const YAML::Node value = child(section, name);
      if (!value.IsDefined() || !value.IsScalar()) continue;
      const auto endpoint = cluster::Endpoint::parse(value.Scalar());
      if (!endpoint.ok() || is_loopback(endpoint.value().host)) continue;
      all->push_back({value.Mark(), std::string(name), value.Scalar()});
    }
  }

  // Those that an option of the command line opened.
  void add_effective(std::vector<Open>* all) {
    const ListenConfig& listen = config_.listen;
    const std::array<const cluster::Endpoint*, 3> endpoints{&listen.redis, &listen.memcached,
                                                            &listen.admin};
    for (size_t i = 0; i < endpoints.size(); ++i) {
      if (endpoints[i]->empty() || is_loopback(endpoints[i]->host)) continue;
      all->push_back({root_.Mark(), std::string(kClientListeners[i]), endpoints[i]->to_text()});
    }
  }

  void look_at_password() {
    if (!config_.passwords.empty()) return;
    std::vector<Open> open;
    add_open(child(root_, "listen"), &open);
    const YAML::Node members = child(child(root_, "cluster"), "members");
    for (size_t i = 0; members.IsDefined() && i < members.size(); ++i) add_open(members[i], &open);
    if (open.empty() && report_.choices.empty()) add_effective(&open);
    if (open.empty()) return;
    std::string listeners;
    for (const Open& one : open) {
      if (listeners.find(one.name) != std::string::npos) continue;
      listeners += (listeners.empty() ? "" : ", ") + one.name + " (" + one.address + ")";
    }
    warnings_.add(open.front().mark,
                  fmt::format("password: there is none, and {} can be reached from other hosts, "
                              "which are refused (protected mode)",
                              listeners));
  }

  void look_at_peers() {
    const YAML::Node members = child(child(root_, "cluster"), "members");
    const std::vector<FounderConfig>& founders = config_.cluster.founders;
    for (size_t i = 0; members.IsDefined() && i < members.size() && i < founders.size(); ++i) {
      const std::string& host = founders[i].member.peer.host;
      if (host != "0.0.0.0" && host != "::") continue;
      warnings_.add(
          child(members[i], "peer").Mark(),
          fmt::format("cluster.members[{}].peer: {} is where a node may listen, not where "
                      "others reach it; write its address here, and {} at listen.peer",
                      i, host, host));
    }
  }

  void look_at_keyspaces() {
    const YAML::Node keyspaces = child(root_, "keyspaces");
    if (!keyspaces.IsDefined() || !keyspaces.IsMap()) return;
    const size_t members = config_.cluster.founders.size();
    for (size_t db = 0; db < config_.keyspaces.size(); ++db) {
      const cluster::KeyspacePolicy& policy = config_.keyspaces[db];
      if (db != 0 && policy.name == config_.keyspaces[0].name) continue;  // no entry of its own
      const YAML::Node entry = child(keyspaces, policy.name);
      if (!entry.IsDefined() || !entry.IsMap()) continue;
      const bool has_n = entry["n"].IsDefined();
      if (has_n && policy.n > members) {
        warnings_.add(
            entry["n"].Mark(),
            fmt::format("keyspaces.{}.n: {} copies, and there {} {} member{}; there are as "
                        "many copies as members",
                        policy.name, policy.n, members == 1 ? "is" : "are", members,
                        members == 1 ? "" : "s"));
      }
      const auto copies = std::min<size_t>(policy.n, members);
      const auto answers = std::min<size_t>(policy.r, copies) + std::min<size_t>(policy.w, copies);
      const bool chosen = has_n || entry["r"].IsDefined() || entry["w"].IsDefined();
      if (!chosen || answers > copies) continue;
      warnings_.add(entry.Mark(),
                    fmt::format("keyspaces.{}: r {} and w {} of n {}: a read need not "
                                "meet the write that was acknowledged before it; r + w "
                                "> n makes it",
                                policy.name, policy.r, policy.w, policy.n));
    }
  }

  void look_for_variables(const YAML::Node& node, const std::string& path) {
    if (node.IsScalar()) {
      const std::string& text = node.Scalar();
      const size_t begin = text.find("${");
      if (begin == std::string::npos || text.find('}', begin) == std::string::npos) return;
      warnings_.add(node.Mark(), fmt::format("{}: `${{...}}` is taken literally: nothing is put in "
                                             "its place",
                                             path));
    } else if (node.IsSequence()) {
      for (size_t i = 0; i < node.size(); ++i) {
        look_for_variables(node[i], fmt::format("{}[{}]", path, i));
      }
    } else if (node.IsMap()) {
      for (const auto& entry : node) {
        const std::string key = entry.first.Scalar();
        look_for_variables(entry.second, path.empty() ? key : path + "." + key);
      }
    }
  }

  const YAML::Node root_;
  const ConfigReport& report_;
  const Config& config_;
  ProblemList warnings_;
};

}  // namespace

std::vector<Problem> find_warnings(const YAML::Node& root, const ConfigReport& report,
                                   std::string_view file) {
  return WarningFinder(root, report, file).find();
}

}  // namespace kvorum::server
