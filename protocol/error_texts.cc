// SPDX-License-Identifier: Apache-2.0
#include "protocol/error_texts.h"

#include "protocol/resp_writer.h"

namespace kvorum::protocol {

std::string wrong_number_of_arguments(std::string_view command) {
  std::string text = "ERR wrong number of arguments for '";
  append_one_line(text, command);
  return text.append("' command");
}

std::string only_hears(std::string_view command) {
  std::string text = "ERR Can't execute '";
  append_one_line(text, command);
  return text.append(
      "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this "
      "context");
}

// Redis stops before the argument at which the quoted ones have reached 128 bytes, and cuts the
// last one to what is left of them (not counting its quotes).
std::string unknown_command(std::span<const std::string_view> words) {
  std::string text = "ERR unknown command '";
  append_one_line(text, words.empty() ? "" : words[0].substr(0, kQuotedBytesMax));
  text.append("', with args beginning with: ");
  const size_t begin = text.size();
  for (size_t i = 1; i < words.size(); ++i) {
    const size_t quoted = text.size() - begin;
    if (quoted >= kQuotedBytesMax) break;
    text.push_back('\'');
    append_one_line(text, words[i].substr(0, kQuotedBytesMax - quoted));
    text.append("' ");
  }
  return text;
}

std::string unknown_subcommand(std::string_view subcommand, std::string_view container) {
  std::string text = "ERR unknown subcommand '";
  append_one_line(text, subcommand.substr(0, kQuotedBytesMax));
  return text.append("'. Try ").append(container).append(" HELP.");
}

std::string bad_subcommand(std::string_view subcommand, std::string_view container) {
  std::string text = "ERR unknown subcommand or wrong number of arguments for '";
  append_one_line(text, subcommand.substr(0, kQuotedBytesMax));
  return text.append("'. Try ").append(container).append(" HELP.");
}

std::string invalid_expire_time(std::string_view command) {
  return std::string("ERR invalid expire time in '").append(command).append("' command");
}

}  // namespace kvorum::protocol
