// SPDX-License-Identifier: Apache-2.0
#include "server/config/config_reader.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <tuple>

#include "server/config/config_values.h"

namespace kvorum::server {
namespace {

// Remembers where the last document began and ignores all else.
class DocumentStart : public YAML::EventHandler {
 public:
  YAML::Mark mark;

  void OnDocumentStart(const YAML::Mark& start) override { mark = start; }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

}  // namespace

std::optional<YAML::Mark> find_second_document(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DocumentStart start;
  if (!parser.HandleNextDocument(start) || !parser.HandleNextDocument(start)) return std::nullopt;
  return start.mark;
}

void ProblemList::add(const YAML::Mark& mark, std::string text) {
  // What stands nowhere, as the top of an empty file, is said of its first line.
  const int line = mark.is_null() ? 1 : mark.line + 1,
            column = mark.is_null() ? 1 : mark.column + 1;
  problems_.push_back({file_, line, column, std::move(text)});
}

void ProblemList::add_option(std::string_view option, std::string_view text) {
  problems_.push_back({"", 0, 0, fmt::format("{}: {}", option, text)});
}

std::vector<Problem> ProblemList::take_sorted() {
  std::stable_sort(problems_.begin(), problems_.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  return std::move(problems_);
}

std::string describe(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  if (!node.IsScalar()) return "nothing";
  constexpr size_t kShownBytesMax = 40;
  const std::string& text = node.Scalar();
  if (text.size() <= kShownBytesMax) return fmt::format("the text '{}'", text);
  return fmt::format("the text '{}...'", text.substr(0, kShownBytesMax));
}

ConfigSection::ConfigSection(YAML::Node node, std::string path, std::vector<std::string_view> keys,
                             ProblemList* problems)
    : node_(std::move(node)), path_(std::move(path)), known_(std::move(keys)), problems_(problems) {
  read_keys();
}

ConfigSection ConfigSection::with_any_key(YAML::Node node, std::string path,
                                          ProblemList* problems) {
  ConfigSection section;
  section.node_.reset(node);
  section.path_ = std::move(path);
  section.any_key_ = true;
  section.problems_ = problems;
  section.read_keys();
  return section;
}

void ConfigSection::read_keys() {
  if (!node_.IsDefined() || node_.IsNull()) return;
  const std::string place = path_.empty() ? "the top level" : path_;
  if (!node_.IsMap()) {
    problems_->add(node_.Mark(),
                   fmt::format("{}: expected a mapping, found {}", place, describe(node_)));
    return;
  }
  for (const auto& entry : node_) {
    const YAML::Mark mark = entry.first.Mark();
    if (!entry.first.IsScalar()) {
      problems_->add(mark, fmt::format("{}: a key must be a plain word", place));
      continue;
    }
    const std::string key = entry.first.Scalar();
    if (!any_key_ && std::find(known_.begin(), known_.end(), key) == known_.end()) {
      problems_->add(mark,
                     fmt::format("unknown key '{}' in {}{}", key, place, suggestion(key, known_)));
    } else if (const auto [first, is_new] = values_.try_emplace(key, entry.second); is_new) {
      order_.push_back(key);
    } else {
      problems_->add(mark, fmt::format("{} is given twice; the first is in line {}", path_of(key),
                                       first->second.Mark().line + 1));
    }
  }
}

std::string ConfigSection::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

YAML::Mark ConfigSection::mark(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? node_.Mark() : found->second.Mark();
}

void ConfigSection::problem(std::string_view key, std::string_view text) const {
  problems_->add(mark(key), fmt::format("{}: {}", path_of(key), text));
}

YAML::Node ConfigSection::child(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? YAML::Node(YAML::NodeType::Undefined) : found->second;
}

ConfigSection ConfigSection::section(std::string_view key,
                                     std::vector<std::string_view> keys) const {
  return ConfigSection(child(key), path_of(key), std::move(keys), problems_);
}

std::optional<std::string> ConfigSection::scalar(std::string_view key,
                                                 std::string_view expected) const {
  const auto found = values_.find(key);
  if (found == values_.end()) return std::nullopt;
  if (found->second.IsScalar()) return found->second.Scalar();
  problem(key, fmt::format("expected {}, found {}", expected, describe(found->second)));
  return std::nullopt;
}

void ConfigSection::text(std::string_view key, std::string& value) const {
  if (auto read = scalar(key, "text")) value = std::move(*read);
}

void ConfigSection::texts(std::string_view key, std::vector<std::string>& values) const {
  constexpr size_t kTextsMax = 8;
  const YAML::Node node = child(key);
  if (!node.IsDefined() || !node.IsSequence()) {
    const auto read = scalar(key, "text or a list of texts");
    if (read) values = read->empty() ? std::vector<std::string>() : std::vector{*read};
    return;
  }
  if (node.size() == 0 || node.size() > kTextsMax) {
    return problem(
        key, fmt::format("a list has 1 to {} texts, this one has {}", kTextsMax, node.size()));
  }
  std::vector<std::string> read;
  for (const YAML::Node& item : node) {
    if (!item.IsScalar()) return problem(key, "expected text, found " + describe(item));
    if (item.Scalar().empty()) return problem(key, "an empty text in a list is a mistake");
    read.push_back(item.Scalar());
  }
  values = std::move(read);
}

void ConfigSection::name(std::string_view key, std::string& value) const {
  const auto read = scalar(key, "a name");
  if (!read) return;
  value = *read;
  if (is_plain_name(value)) return;
  problem(key,
          fmt::format("'{}' is not a name; 1 to 64 letters, digits, '.', '_' and '-' are", value));
}

void ConfigSection::flag(std::string_view key, bool& value) const {
  constexpr NamedValue<bool> kFlags[] = {{"true", true}, {"false", false}};
  choice<bool>(key, kFlags, value);
}

void ConfigSection::endpoint(std::string_view key, cluster::Endpoint& value) const {
  const auto read = scalar(key, "host:port");
  if (!read) return;
  const auto parsed = cluster::Endpoint::parse(*read);
  if (parsed.ok()) {
    value = parsed.value();
  } else {
    problem(key, fmt::format("'{}': {}", *read, parsed.status().message()));
  }
}

void ConfigSection::duration(std::string_view key, Range<int64_t> range_ms, int64_t& value) const {
  const auto read = scalar(key, "a duration");
  if (!read) return;
  const auto parsed = parse_duration_ms(*read);
  if (!parsed.ok()) {
    problem(key, parsed.status().message());
  } else if (parsed.value() < range_ms.min || parsed.value() > range_ms.max) {
    problem(key, fmt::format("{} is out of range; allowed are {} to {}", *read,
                             duration_text(range_ms.min), duration_text(range_ms.max)));
  } else {
    value = parsed.value();
  }
}

void ConfigSection::duration(std::string_view key, Range<int64_t> range_ms, uint64_t& value) const {
  auto ms = static_cast<int64_t>(value);
  duration(key, range_ms, ms);
  value = static_cast<uint64_t>(ms);
}

void ConfigSection::size(std::string_view key, Range<uint64_t> range, uint64_t& value) const {
  const auto read = scalar(key, "a size");
  if (!read) return;
  const auto parsed = parse_size(*read);
  if (!parsed.ok()) {
    problem(key, parsed.status().message());
  } else if (parsed.value() < range.min || parsed.value() > range.max) {
    problem(key, fmt::format("{} is out of range; allowed are {} to {}", *read,
                             size_text(range.min), size_text(range.max)));
  } else {
    value = parsed.value();
  }
}

std::optional<uint64_t> ConfigSection::whole_number(std::string_view key, uint64_t min,
                                                    uint64_t max) const {
  const auto read = scalar(key, "a number");
  if (!read) return std::nullopt;
  int64_t number = 0;
  const char* const end = read->data() + read->size();
  const auto [rest, error] = std::from_chars(read->data(), end, number);
  if (error == std::errc::invalid_argument || rest != end) {
    problem(key, fmt::format("'{}' is not a whole number", *read));
  } else if (error != std::errc() || number < 0 || static_cast<uint64_t>(number) < min ||
             static_cast<uint64_t>(number) > max) {
    problem(key, fmt::format("{} is out of range; allowed are {} to {}", *read, min, max));
  } else {
    return static_cast<uint64_t>(number);
  }
  return std::nullopt;
}

std::optional<size_t> ConfigSection::chosen(std::string_view key,
                                            const std::vector<std::string_view>& names) const {
  const auto read = scalar(key, fmt::format("one of {}", join(names)));
  if (!read) return std::nullopt;
  const auto found = std::find(names.begin(), names.end(), *read);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  problem(key, fmt::format("'{}' is unknown{}", *read, suggestion(*read, names)));
  return std::nullopt;
}

}  // namespace kvorum::server
