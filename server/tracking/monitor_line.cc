// SPDX-License-Identifier: Apache-2.0
#include "server/tracking/monitor_line.h"

#include <fmt/format.h>

#include <iterator>

#include "server/logbook/log_words.h"

namespace kvorum::server {
namespace {

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

}  // namespace

bool is_shown(const CommandRow& row) { return (row.flags & kAdmin) == 0; }

std::string monitor_line(const ShownCommand& command, uint64_t wall_us) {
  std::string line = fmt::format("+{}.{:06} [{} {}]", wall_us / kSecondUs, wall_us % kSecondUs,
                                 command.keyspace, command.peer_address);
  const auto append = [&line](std::string_view word) {
    line.push_back(' ');
    append_quoted(word, line);
  };
  if (command.row != nullptr) {
    for (const auto word : words_for_logs(command.row->name, command.words)) append(word);
  } else {
    for (const auto word : command.words) append(word);
  }
  line.append("\r\n");
  return line;
}

}  // namespace kvorum::server
