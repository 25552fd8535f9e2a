// SPDX-License-Identifier: Apache-2.0
// Reading of arguments that several families share: integers, options that give an expiry time, and
// what a client sees of a key that was read. Used by handlers only; pure.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/version/object.h"
#include "protocol/number_text.h"
#include "server/commands/command.h"

namespace kvorum::server {

// How a time was given: EX, PX (relative) or EXAT, PXAT (absolute).
struct ExpiryWord {
  bool relative = true;
  bool seconds = true;
  std::string_view text;
};

// The option's kind where `option` is EX, PX, EXAT or PXAT; its text is the caller's to set.
std::optional<ExpiryWord> expiry_option(std::string_view option);

// The absolute deadline in milliseconds, as SET understands it (0 and negative times are errors).
// False with the error set in the plan.
bool read_deadline(const CommandCall& call, const ExpiryWord& word, Plan& plan,
                   uint64_t* deadline_ms);

// What a client sees of what was read, newest first; in a last-write-wins keyspace the newest only.
using Versions = InlineVector<cluster::Version, 1>;
Versions seen(const FinishInput& input);

// Nil, a bulk string, or the array of siblings.
protocol::Reply values_reply(const Versions& versions);

// A name and a value of a map that is being made.
inline void add_field(std::vector<protocol::Reply>& fields, std::string_view name,
                      protocol::Reply value) {
  fields.push_back(protocol::Reply::bulk(name));
  fields.push_back(std::move(value));
}

// Finishes of edits: +OK, the number they answer, or the value that they found (nil for none).
protocol::Reply finish_ok(const FinishInput& input);
protocol::Reply finish_number(const FinishInput& input);
protocol::Reply finish_old_value(const FinishInput& input);

bool is_lww(NodeFacts& facts, uint8_t keyspace);

// Done at every reactor of the node, then +OK.
void do_everywhere(std::function<void(NodeFacts& facts)> act, Plan& plan);

// An integer argument; false with "value is not an integer or out of range" set in the plan.
bool read_integer(std::string_view word, Plan& plan, int64_t* value);

// The number of a database; false with Redis's error set in the plan.
bool read_database(std::string_view word, Plan& plan, uint8_t* keyspace);

}  // namespace kvorum::server
