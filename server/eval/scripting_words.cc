// SPDX-License-Identifier: Apache-2.0
#include "server/eval/scripting_words.h"

#include <algorithm>

namespace kvorum::server {

using protocol::Reply;

bool is_flush_call(const CommandCall& call, std::string_view refusal, Plan& plan) {
  if (call.words.size() > 3) {
    plan.fail_owned(protocol::bad_subcommand(call.words[1], upper_case(call.words[0])));
    return false;
  }
  const bool valid = call.words.size() == 2 || equals_ignoring_case(call.words[2], "async") ||
                     equals_ignoring_case(call.words[2], "sync");
  if (!valid) plan.fail(refusal);
  return valid;
}

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

void end_long_runs(const CommandCall& call, Plan& plan) {
  if (call.facts.end_long_scripts() > 0) return plan.answer(Reply::ok());
  plan.fail("NOTBUSY No scripts in execution right now.");
}

KeyspaceStep finish_everywhere(const cluster::KeyspaceCompletion&, Remembered&) {
  return {false, 0, Reply::ok()};
}

}  // namespace kvorum::server
