// SPDX-License-Identifier: Apache-2.0
#include "server/tracking/monitor_line.h"

#include <fmt/format.h>

#include <iterator>

namespace kvorum::server {
namespace {

constexpr std::string_view kRedacted = "(redacted)";
constexpr uint64_t kSecondUs = 1'000'000;

void append_quoted(std::string_view word, std::string& out) {
  constexpr std::string_view kPlain = "\\\"\n\r\t\a\b", kEscaped = "\\\"nrtab";
  out.push_back('"');
  for (const char letter : word) {
    if (const size_t at = kPlain.find(letter); at != std::string_view::npos) {
      out.append({'\\', kEscaped[at]});
    } else if (letter >= ' ' && letter <= '~') {
      out.push_back(letter);
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<uint8_t>(letter));
    }
  }
  out.push_back('"');
}

// How many words at the end of this one, itself among them, are secret.
size_t secrets_at(const ShownCommand& command, size_t at) {
  const size_t left = command.words.size() - at;
  if (command.row.name == "auth") return at == 0 ? 0 : left;
  const bool names_auth = command.row.name == "hello" && at >= 2 &&
                          equals_ignoring_case(command.words[at - 1], "auth") && left >= 2;
  return names_auth ? 2 : 0;
}

}  // namespace

bool is_shown(const CommandRow& row) { return (row.flags & kAdmin) == 0; }

std::string monitor_line(const ShownCommand& command, uint64_t wall_us) {
  std::string line = fmt::format("+{}.{:06} [{} {}]", wall_us / kSecondUs, wall_us % kSecondUs,
                                 command.keyspace, command.peer_address);
  size_t secrets = 0;
  for (size_t at = 0; at < command.words.size(); ++at) {
    if (secrets == 0) secrets = secrets_at(command, at);
    line.push_back(' ');
    append_quoted(secrets > 0 ? kRedacted : command.words[at], line);
    if (secrets > 0) --secrets;
  }
  line.append("\r\n");
  return line;
}

}  // namespace kvorum::server
