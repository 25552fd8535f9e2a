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
inline constexpr std::string_view kMustBePositive = "ERR value is out of range, must be positive";
inline constexpr std::string_view kOffsetOutOfRange = "ERR offset is out of range";
inline constexpr std::string_view kBitOffsetInvalid =
    "ERR bit offset is not an integer or out of range";
inline constexpr std::string_view kBitInvalid = "ERR bit is not an integer or out of range";
inline constexpr std::string_view kMustBeBit = "ERR The bit argument must be 1 or 0.";
inline constexpr std::string_view kInvalidCursor = "ERR invalid cursor";
inline constexpr std::string_view kIndexOutOfRange = "ERR index out of range";
inline constexpr std::string_view kTimeoutNotAnInteger =
    "ERR timeout is not an integer or out of range";
inline constexpr std::string_view kTimeoutNotAFloat = "ERR timeout is not a float or out of range";
inline constexpr std::string_view kTimeoutNegative = "ERR timeout is negative";

// Values
inline constexpr std::string_view kWrongType =
    "WRONGTYPE Operation against a key holding the wrong kind of value";
inline constexpr std::string_view kNoSuchKey = "ERR no such key";
inline constexpr std::string_view kBusyKey = "BUSYKEY Target key name already exists.";
inline constexpr std::string_view kSameObject = "ERR source and destination objects are the same";
inline constexpr std::string_view kWouldOverflow = "ERR increment or decrement would overflow";
inline constexpr std::string_view kDecrementWouldOverflow = "ERR decrement would overflow";
inline constexpr std::string_view kWouldBeNan = "ERR increment would produce NaN or Infinity";
inline constexpr std::string_view kHashValueNotAnInteger = "ERR hash value is not an integer";
inline constexpr std::string_view kHashValueNotAFloat = "ERR hash value is not a float";
inline constexpr std::string_view kStringTooLong =
    "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

// Databases
inline constexpr std::string_view kDbOutOfRange = "ERR DB index is out of range";
inline constexpr std::string_view kDbInvalid = "ERR invalid DB index";

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

// Transactions, scripts, pub/sub
inline constexpr std::string_view kExecAbort =
    "EXECABORT Transaction discarded because of previous errors.";
inline constexpr std::string_view kExecWithoutMulti = "ERR EXEC without MULTI";
inline constexpr std::string_view kDiscardWithoutMulti = "ERR DISCARD without MULTI";
inline constexpr std::string_view kMultiNested = "ERR MULTI calls can not be nested";
inline constexpr std::string_view kWatchInsideMulti = "ERR WATCH inside MULTI is not allowed";
inline constexpr std::string_view kNoScript = "NOSCRIPT No matching script. Please use EVAL.";

// The state of the server
inline constexpr std::string_view kOutOfMemory =
    "OOM command not allowed when used memory > 'maxmemory'.";
inline constexpr std::string_view kLoading = "LOADING Redis is loading the dataset in memory";
inline constexpr std::string_view kReadOnly =
    "READONLY You can't write against a read only replica.";
inline constexpr std::string_view kClusterDown = "CLUSTERDOWN The cluster is down";
inline constexpr std::string_view kCrossSlot =
    "CROSSSLOT Keys in request don't hash to the same slot";

// So much of a client's words an error text repeats.
inline constexpr size_t kQuotedBytesMax = 128;

// "ERR wrong number of arguments for 'get' command"; a subcommand is "config|get".
std::string wrong_number_of_arguments(std::string_view command);

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
