// SPDX-License-Identifier: Apache-2.0
#include "server/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace kvorum::server {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return spdlog::level::trace;
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

// %* in the pattern: the message as the inside of a JSON string.
class JsonMessage final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string escaped =
        json_escaped(std::string_view(message.payload.data(), message.payload.size()));
    out.append(escaped.data(), escaped.data() + escaped.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JsonMessage>();
  }
};

}  // namespace

void start_logging(const LogConfig& config, std::string_view node_name) {
  auto logger = std::make_shared<spdlog::logger>(
      std::string(node_name), std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  if (config.format == LogFormat::kJson) {
    formatter->add_flag<JsonMessage>('*').set_pattern(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","node":")" + json_escaped(node_name) +
        R"(","message":"%*"})");
  } else {
    formatter->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%-5l%$ %n: %v");
  }
  logger->set_formatter(std::move(formatter));
  logger->set_level(to_spdlog(config.level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

void stop_logging() { spdlog::default_logger_raw()->flush(); }

bool logs(LogLevel level) { return spdlog::default_logger_raw()->should_log(to_spdlog(level)); }

void write_log(LogLevel level, std::string_view text) {
  spdlog::default_logger_raw()->log(to_spdlog(level),
                                    spdlog::string_view_t(text.data(), text.size()));
}

std::string json_escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char byte : text) {
    switch (byte) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(byte) < 0x20) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(byte));
        } else {
          out.push_back(byte);
        }
    }
  }
  return out;
}

LogGates::Verdict LogGates::ask(std::string_view subject, std::string_view text, uint64_t now_us) {
  auto found = gates_.find(subject);
  if (found == gates_.end()) {
    if (gates_.size() >= kSubjectsMax) gates_.clear();
    found = gates_.emplace(std::string(subject), Gate()).first;
  }
  Gate& gate = found->second;
  if (gate.text == text && now_us < gate.last_us + kRepeatAfterUs) {
    ++gate.suppressed;
    return {};
  }
  gate.text = text;
  gate.last_us = now_us;
  return {true, std::exchange(gate.suppressed, 0)};
}

void LogGates::forget(std::string_view subject) {
  if (const auto found = gates_.find(subject); found != gates_.end()) gates_.erase(found);
}

}  // namespace kvorum::server
