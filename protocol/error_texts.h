// SPDX-License-Identifier: Apache-2.0
// The error texts that Redis's clients know, in Redis's words, and the code words of our own
// errors. Handlers give them to Reply::error (constants) or Reply::error_owned (functions). Names
// in a text are written in lower case as Redis writes them: pass them so.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace kvorum::protocol {

// Arguments
inline constexpr std::string_view kSyntaxError = "ERR syntax error";
inline constexpr std::string_view kNotAnInteger = "ERR value is not an integer or out of range";
inline constexpr std::string_view kNotAFloat = "ERR value is not a valid float";
inline constexpr std::string_view kOutOfRange = "ERR value is out of range";
inline constexpr std::string_view kOffsetOutOfRange = "ERR offset is out of range";
inline constexpr std::string_view kInvalidCursor = "ERR invalid cursor";

// Values
inline constexpr std::string_view kWouldOverflow = "ERR increment or decrement would overflow";
inline constexpr std::string_view kDecrementWouldOverflow = "ERR decrement would overflow";
inline constexpr std::string_view kWouldBeNan = "ERR increment would produce NaN or Infinity";
inline constexpr std::string_view kStringTooLong =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

// Databases
inline constexpr std::string_view kDbOutOfRange = "ERR DB index is out of range";

// Connection and authentication
inline constexpr std::string_view kNoAuth = "NOAUTH Authentication required.";
inline constexpr std::string_view kNoAuthHello =
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
    "<proto> "
    "AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol "
    "version at the same time";
inline constexpr std::string_view kWrongPass =
    "WRONGPASS invalid username-password pair or user is disabled.";
inline constexpr std::string_view kAuthWithoutPassword =
    "ERR AUTH <password> called without any password configured for the default user. Are you sure "
    "your configuration is correct?";
inline constexpr std::string_view kNoProto = "NOPROTO unsupported protocol version";
inline constexpr std::string_view kProtoNotAnInteger =
    "ERR Protocol version is not an integer or out of range";
inline constexpr std::string_view kBadClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";
inline constexpr std::string_view kMaxClients = "ERR max number of clients reached";

// Scripts
inline constexpr std::string_view kNoScript = "NOSCRIPT No matching script. Please use EVAL.";

// The state of the server
inline constexpr std::string_view kOutOfMemory =
    "OOM command not allowed when used memory > 'maxmemory'.";
inline constexpr std::string_view kLoading = "LOADING Redis is loading the dataset in memory";
inline constexpr std::string_view kClusterDown = "CLUSTERDOWN The cluster is down";

// So much of a client's words an error text repeats.
inline constexpr size_t kQuotedBytesMax = 128;

// "ERR wrong number of arguments for 'get' command"; a subcommand is "config|get".
std::string wrong_number_of_arguments(std::string_view command);
// To a RESP2 client that is subscribed.
std::string only_hears(std::string_view command);

// "ERR unknown command 'foo', with args beginning with: 'a' 'b' ". `words` begins with the command.
std::string unknown_command(std::span<const std::string_view> words);

// "ERR unknown subcommand 'foo'. Try CONFIG HELP."; `container` in capitals.
std::string unknown_subcommand(std::string_view subcommand, std::string_view container);

// "ERR unknown subcommand or wrong number of arguments for 'foo'. Try CONFIG HELP.", which Redis
// answers where the container itself looks at its arguments.
std::string bad_subcommand(std::string_view subcommand, std::string_view container);

// "ERR invalid expire time in 'set' command"
std::string invalid_expire_time(std::string_view command);

}  // namespace kvorum::protocol
