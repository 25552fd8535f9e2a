// SPDX-License-Identifier: Apache-2.0
#include "server/config/config_members.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>

#include "server/config/config_kinds.h"

namespace kvorum::server {
namespace {

using cluster::Member;

constexpr ConfigRow<FounderConfig> kRows[] = {
    config_row<NameKind{}, &FounderConfig::member, &Member::name>("name"),
    config_row<AddressKind{}, &FounderConfig::member, &Member::peer>("peer"),
    config_row<OptionalKind<AddressKind>{}, &FounderConfig::member, &Member::redis>("redis"),
    config_row<OptionalKind<AddressKind>{}, &FounderConfig::member, &Member::memcached>(
        "memcached"),
    config_row<OptionalKind<AddressKind>{}, &FounderConfig::member, &Member::admin>("admin"),
    config_row<OptionalKind<TextKind>{}, &FounderConfig::data_directory>("data"),
    config_row<NumberKind<uint32_t>{1, kWeightMax}, &FounderConfig::member, &Member::weight>(
        "weight"),
    config_row<OptionalKind<NameKind>{}, &FounderConfig::member, &Member::rack>("rack"),
    config_row<OptionalKind<NameKind>{}, &FounderConfig::member, &Member::zone>("zone"),
};

// The founding members one by one, checked against those before them.
class MembersReader {
 public:
  explicit MembersReader(ProblemList* problems) : problems_(problems) {}

  void read(const YAML::Node& list) {
    if (!list.IsDefined() || list.IsNull()) return;
    if (!list.IsSequence()) {
      problems_->add(list.Mark(),
                     fmt::format("cluster.members: expected a list, found {}", describe(list)));
      return;
    }
    if (list.size() > cluster::kMembersMax) {
      problems_->add(list.Mark(), fmt::format("cluster.members: {} are too many; allowed are {}",
                                              list.size(), cluster::kMembersMax));
      return;
    }
    for (size_t index = 0; index < list.size(); ++index) read_member(list[index], index);
  }
  std::vector<FounderConfig> take() { return std::move(founders_); }

 private:
  void read_member(const YAML::Node& node, size_t index) {
    const ConfigSection section(node, fmt::format("cluster.members[{}]", index),
                                names_of<FounderConfig>(kRows), problems_);
    FounderConfig founder;
    read_rows<FounderConfig>(section, kRows, founder);
    if (node.IsMap()) {
      require(section, "name", "every member needs a name");
      require(section, "peer", "every member needs the address at which the others reach it");
    }
    check_repetitions(section, founder);
    founders_.push_back(std::move(founder));
  }

  void require(const ConfigSection& section, std::string_view key, std::string_view why) {
    if (section.has(key)) return;
    problems_->add(section.mark(), fmt::format("{} is missing: {}", section.path_of(key), why));
  }

  void check_repetitions(const ConfigSection& section, const FounderConfig& founder) {
    const Member& member = founder.member;
    if (!member.name.empty() && !names_.insert(member.name).second) {
      section.problem("name",
                      fmt::format("'{}' is already the name of another member", member.name));
    }
    claim(section, "peer", member.peer.to_text(), member.peer.host);
    // The other addresses may be wildcards or loopback ones: only nodes of one host collide.
    claim(section, "redis", member.redis.to_text(), member.peer.host);
    claim(section, "memcached", member.memcached.to_text(), member.peer.host);
    claim(section, "admin", member.admin.to_text(), member.peer.host);
    claim(section, "data", founder.data_directory, member.peer.host);
  }

  void claim(const ConfigSection& section, std::string_view key, const std::string& value,
             const std::string& host) {
    if (value.empty()) return;
    const auto [owner, is_new] = claimed_.try_emplace({host, value}, section.path_of(key));
    if (is_new) return;
    section.problem(key, fmt::format("'{}' is already {}", value, owner->second));
  }

  ProblemList* const problems_;
  std::vector<FounderConfig> founders_;
  std::set<std::string> names_;
  std::map<std::pair<std::string, std::string>, std::string> claimed_;  // host, value -> path
};

}  // namespace

void MembersKind::read(const ConfigSection& section, std::string_view key,
                       std::vector<FounderConfig>& founders) const {
  MembersReader reader(section.problems());
  reader.read(section.child(key));
  founders = reader.take();
}

ShownValue MembersKind::shown(const std::vector<FounderConfig>& founders) const {
  std::vector<ShownValue> members;
  for (const FounderConfig& founder : founders) {
    ShownValue member = ShownValue::map(true);
    show_rows<FounderConfig>(kRows, founder, &member);
    members.push_back(std::move(member));
  }
  return ShownValue::list(std::move(members));
}

}  // namespace kvorum::server
