// SPDX-License-Identifier: Apache-2.0
// LCS and MSETNX: commands of several strings that look at all of them before they answer.
#include <limits>
#include <unordered_map>

#include "server/commands/set_condition.h"
#include "server/commands/words.h"
#include "server/strings/subsequence.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

struct LcsOptions {
  bool length = false, ranges = false, range_lengths = false;
  int64_t range_min = 0;
};

bool read_lcs_options(Words words, Plan& plan, LcsOptions* options) {
  for (size_t i = 3; i < words.size(); ++i) {
    if (equals_ignoring_case(words[i], "idx")) {
      options->ranges = true;
    } else if (equals_ignoring_case(words[i], "len")) {
      options->length = true;
    } else if (equals_ignoring_case(words[i], "withmatchlen")) {
      options->range_lengths = true;
    } else if (equals_ignoring_case(words[i], "minmatchlen") && i + 1 < words.size()) {
      if (!read_integer(words[++i], plan, &options->range_min)) return false;
    } else {
      return plan.fail(protocol::kSyntaxError), false;
    }
  }
  if (!options->length || !options->ranges) return true;
  plan.fail("ERR If you want both the length and indexes, please just use IDX.");
  return false;
}

Reply pair_of(uint32_t first, uint32_t last) {
  return Reply::array({Reply::integer(first), Reply::integer(last)});
}

Reply ranges_reply(const Subsequence& found, const LcsOptions& options) {
  std::vector<Reply> matches;
  for (const SharedRange& range : found.ranges) {
    if (range.length() < options.range_min) continue;
    std::vector<Reply> match;
    match.push_back(pair_of(range.a_first, range.a_last));
    match.push_back(pair_of(range.b_first, range.b_last));
    if (options.range_lengths) match.push_back(Reply::integer(range.length()));
    matches.push_back(Reply::array(std::move(match)));
  }
  std::vector<Reply> fields;
  fields.push_back(Reply::bulk("matches"));
  fields.push_back(Reply::array(std::move(matches)));
  fields.push_back(Reply::bulk("len"));
  fields.push_back(Reply::integer(static_cast<int64_t>(found.text.size())));
  return Reply::map(std::move(fields));
}

void answer_lcs(const StageCall& call, const LcsOptions& options, Plan& plan) {
  const std::string_view a = call.results()[0].bytes();
  const std::string_view b = call.results()[1].bytes();
  constexpr size_t kLengthMax = std::numeric_limits<uint32_t>::max() - 2;
  if (a.size() > kLengthMax || b.size() > kLengthMax) {
    return plan.fail("ERR String too long for LCS");
  }
  if (subsequence_table_bytes(a, b) > call.facts.value_bytes_max()) {
    return plan.fail(
        "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
  }
  if (options.length) {
    return plan.answer(Reply::integer(static_cast<int64_t>(longest_subsequence_length(a, b))));
  }
  Subsequence found = longest_subsequence(a, b);
  plan.answer(options.ranges ? ranges_reply(found, options)
                             : Reply::bulk_owned(std::move(found.text)));
}

void lcs_stage(const StageCall& call, Plan& plan) {
  if (call.stage() == 0) {
    plan.read(call.words[1], nullptr);
    plan.read(call.words[2], nullptr);
    return;
  }
  const std::vector<std::string_view> words(call.words.begin(), call.words.end());
  LcsOptions options;
  if (read_lcs_options(words, plan, &options)) answer_lcs(call, options, plan);
}

void lcs(const CommandCall& call, Plan& plan) {
  LcsOptions options;
  if (read_lcs_options(call.words, plan, &options)) plan.in_stages(call.words, lcs_stage);
}

// Each key with its last value, as the keys come first.
std::vector<std::pair<std::string_view, std::string_view>> last_values(Words words) {
  std::vector<std::pair<std::string_view, std::string_view>> pairs;
  std::unordered_map<std::string_view, size_t> places;  // order not shown: only looked up
  for (size_t i = 1; i + 1 < words.size(); i += 2) {
    const auto [place, is_new] = places.try_emplace(words[i], pairs.size());
    if (is_new) pairs.emplace_back(words[i], words[i + 1]);
    pairs[place->second].second = words[i + 1];
  }
  return pairs;
}

// Each key is written where it is still absent; it can be told from what others write there.
void plan_absent_sets(const StageCall& call, Plan& plan) {
  put_set_condition(plan.argument, kSetIfAbsent, {});
  const std::vector<std::string_view> words(call.words.begin(), call.words.end());
  for (const auto& [key, value] : last_values(words)) {
    cluster::Request& request = plan.edit(key, kEditSetIf, nullptr);
    request.argument = plan.argument;
    request.value = value;
    request.wants_context = true;
  }
}

// Another client came between: what was written is taken back, under the context of its write, so
// that nothing else goes.
void plan_taking_back(const StageCall& call, Plan& plan) {
  const std::vector<std::string_view> words(call.words.begin(), call.words.end());
  const auto pairs = last_values(words);
  for (size_t i = 0; i < pairs.size(); ++i) {
    const StageResult& result = call.results()[i];
    if (result.reply_code != kWasSet) continue;
    cluster::Request& request = plan.edit(pairs[i].first, kEditDeleteVersions, nullptr);
    request.has_context = true;
    request.context = &result.context;
  }
  if (plan.requests.empty()) plan.answer(Reply::integer(0));
}

void msetnx_stage(const StageCall& call, Plan& plan) {
  const auto was_set = [](const StageResult& result) { return result.reply_code == kWasSet; };
  switch (call.stage()) {
    case 0:
      for (size_t i = 1; i < call.words.size(); i += 2) plan.read(call.words[i], nullptr);
      return;
    case 1:
      for (const StageResult& result : call.results()) {
        if (result.found()) return plan.answer(Reply::integer(0));
      }
      return plan_absent_sets(call, plan);
    case 2:
      if (std::all_of(call.results().begin(), call.results().end(), was_set)) {
        return plan.answer(Reply::integer(1));
      }
      return plan_taking_back(call, plan);
    default:
      return plan.answer(Reply::integer(0));
  }
}

Reply finish_msetnx(const FinishInput& input) {
  return Reply::integer(input.completion.reply_code == kWasSet ? 1 : 0);
}

// One key is one edit, atomic at its coordinator.
void msetnx(const CommandCall& call, Plan& plan) {
  if (call.words.size() % 2 == 0) {
    return plan.fail_owned(protocol::wrong_number_of_arguments(call.row.name));
  }
  bool one_key = true;
  for (size_t i = 3; i < call.words.size(); i += 2) one_key &= call.words[i] == call.words[1];
  if (!one_key) return plan.in_stages(call.words, msetnx_stage);
  put_set_condition(plan.argument, kSetIfAbsent, {});
  cluster::Request& request = plan.edit(call.words[1], kEditSetIf, finish_msetnx);
  request.argument = plan.argument;
  request.value = call.words.back();
}

constexpr CommandRow kRows[] = {
    {"lcs", -3, kReadonly | kBarrier, 1, 2, 1, Group::kString, "7.0.0",
     "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
     "The longest common subsequence of two values, each read on its own.",
     "O(N*M) for values of N and M bytes", lcs},
    {"msetnx", -3, kWrite | kDenyOom | kBarrier, 1, -1, 2, Group::kString, "1.0.1",
     "key value [key value ...]",
     "Writes several keys where none of them exists: looks at all, then writes each where it is "
     "still absent, and takes back what it wrote if one was not. One key is atomic; of several, "
     "others may see a part for a moment, and a failure in between leaves what was written.",
     "O(N) for N keys", msetnx, &hint::kInserts},
};

}  // namespace

std::span<const CommandRow> several_string_commands() { return kRows; }

}  // namespace kvorum::server
