// SPDX-License-Identifier: Apache-2.0
// DUMP and RESTORE.
#include <limits>

#include "server/commands/set_condition.h"
#include "server/commands/words.h"
#include "server/keys/redis_dump.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

constexpr std::string_view kBusyKey = "BUSYKEY Target key name already exists.";

Reply finish_dump(const FinishInput& input) {
  const Versions versions = seen(input);
  if (versions.empty()) return Reply::nil();
  if (versions.size() == 1) return Reply::bulk_owned(dump_string(versions[0].bytes));
  return Reply::error_owned(conflict_error(versions.size()));
}

void dump(const CommandCall& call, Plan& plan) { plan.read(call.words[1], finish_dump); }

struct RestoreOptions {
  bool replaces = false, absolute = false;
  bool has_idle_time = false, has_frequency = false;
};

// Idle time and frequency are checked as in Redis, and not kept. False with the error set in the
// plan.
bool read_restore_options(Words words, Plan& plan, RestoreOptions* options) {
  for (size_t i = 4; i < words.size(); ++i) {
    const bool has_value = i + 1 < words.size();
    int64_t number = 0;
    if (equals_ignoring_case(words[i], "replace")) {
      options->replaces = true;
    } else if (equals_ignoring_case(words[i], "absttl")) {
      options->absolute = true;
    } else if (equals_ignoring_case(words[i], "idletime") && has_value && !options->has_frequency) {
      if (!read_integer(words[++i], plan, &number)) return false;
      if (number < 0) return plan.fail("ERR Invalid IDLETIME value, must be >= 0"), false;
      options->has_idle_time = true;
    } else if (equals_ignoring_case(words[i], "freq") && has_value && !options->has_idle_time) {
      if (!read_integer(words[++i], plan, &number)) return false;
      if (number < 0 || number > 255) {
        return plan.fail("ERR Invalid FREQ value, must be >= 0 and <= 255"), false;
      }
      options->has_frequency = true;
    } else {
      return plan.fail(protocol::kSyntaxError), false;
    }
  }
  return true;
}

// The deadline, where it is no error; 0: none.
bool read_restore_time(const CommandCall& call, const RestoreOptions& options, Plan& plan,
                       uint64_t* deadline_ms) {
  int64_t time = 0;
  if (!read_integer(call.words[2], plan, &time)) return false;
  const int64_t from = options.absolute || time == 0 ? 0 : static_cast<int64_t>(call.now_ms);
  if (time < 0 || time > std::numeric_limits<int64_t>::max() - from) {
    return plan.fail("ERR Invalid TTL value, must be >= 0"), false;
  }
  *deadline_ms = static_cast<uint64_t>(time + from);
  return true;
}

// That the key is there already is found out first.
Reply finish_bad_restore(const FinishInput& input) {
  return Reply::error(seen(input).empty() ? std::string_view(input.remembered.text) : kBusyKey);
}

void fail_unless_busy(const CommandCall& call, const RestoreOptions& options, Plan& plan) {
  if (options.replaces) return;  // the error stands in the plan
  plan.remembered.text = plan.reply.text();
  plan.read(call.words[1], finish_bad_restore);
}

Reply finish_restore(const FinishInput& input) {
  return input.completion.reply_code == kWasSet ? Reply::ok() : Reply::error(kBusyKey);
}

// The value of the dump; nothing with the error set in the plan.
std::optional<std::string> read_restored(const CommandCall& call, Plan& plan) {
  if (!is_whole_dump(call.words[3])) {
    plan.fail("ERR DUMP payload version or checksum are wrong");
    return std::nullopt;
  }
  std::optional<std::string> value = read_dump(call.words[3], call.facts.value_bytes_max());
  if (!value) plan.fail("ERR Bad data format");
  return value;
}

void restore(const CommandCall& call, Plan& plan) {
  RestoreOptions options;
  if (!read_restore_options(call.words, plan, &options)) return;
  uint64_t deadline_ms = 0;
  if (!read_restore_time(call, options, plan, &deadline_ms)) {
    return fail_unless_busy(call, options, plan);
  }
  const std::optional<std::string> value = read_restored(call, plan);
  if (!value) return fail_unless_busy(call, options, plan);
  const uint8_t bits = options.replaces ? 0 : kSetIfAbsent;
  put_set_condition(plan.argument, bits, {deadline_ms, 0});
  const size_t argument_bytes = plan.argument.size();
  plan.argument.append(*value);
  const std::string_view both = plan.argument;
  cluster::Request& request = plan.edit(call.words[1], kEditSetIf, finish_restore);
  request.argument = both.substr(0, argument_bytes);
  request.value = both.substr(argument_bytes);
}

constexpr CommandRow kRows[] = {
    {"dump", 2, kReadonly, 1, 1, 1, Group::kGeneric, "2.6.0", "key",
     "A value as bytes that RESTORE takes, here and in Redis from 7.2 on.", "O(N) for N bytes",
     dump, &hint::kUncertain},
    {"restore", -4, kWrite | kDenyOom, 1, 1, 1, Group::kGeneric, "2.6.0",
     "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
     "Writes a value that DUMP made, here or in Redis; of Redis's types strings alone. Idle time "
     "and frequency are not kept.",
     "O(N) for N bytes", restore, &hint::kReplaces},
};

}  // namespace

std::span<const CommandRow> dump_commands() { return kRows; }

}  // namespace kvorum::server
