// SPDX-License-Identifier: Apache-2.0
#include "server/process/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <boost/json/serialize.hpp>
#include <boost/nowide/utf/utf.hpp>
#include <memory>
#include <mutex>

#include "server/process/log_writer.h"

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

std::string as_utf8(std::string_view text) {
  namespace utf = boost::nowide::utf;
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  std::string out;
  out.reserve(text.size());
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    const char* next = at;
    const utf::code_point letter = utf::utf_traits<char>::decode(next, end);
    if (letter == utf::illegal || letter == utf::incomplete) {
      out += kReplacement;
      next = at + 1;
    } else {
      out.append(at, next);
    }
    at = next;
  }
  return out;
}

// %* in the pattern: the message as a JSON string.
class JsonMessage final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    const std::string text =
        json_text(std::string_view(message.payload.data(), message.payload.size()));
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JsonMessage>();
  }
};

// From spdlog's lines to the writer. Spdlog's library has the base of a sink for std::mutex alone,
// and locks it around sink_it_() and flush_().
// tidy-allow: locks see above
class WriterSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  WriterSink(std::shared_ptr<LogWriter> writer, bool colours)
      : writer_(std::move(writer)), colours_(colours) {}

  // What is logged from now on is lost.
  void end() {
    std::shared_ptr<LogWriter> ending;
    {
      const std::lock_guard guard(mutex_);  // tidy-allow: locks of spdlog, as the next
      ending.swap(writer_);
    }
  }
  bool reopen() {
    const std::lock_guard guard(mutex_);  // tidy-allow: locks of spdlog
    if (!writer_ || !writer_->has_file()) return false;
    writer_->reopen();
    return true;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (!writer_) return;
    line_.clear();
    formatter_->format(message, line_);
    const std::string_view text(line_.data(), line_.size());
    if (!colours_ || message.color_range_end <= message.color_range_start) {
      return writer_->write(text);
    }
    coloured_.assign(text.substr(0, message.color_range_start));
    coloured_.append(colour_of(message.level));
    coloured_.append(text.substr(message.color_range_start,
                                 message.color_range_end - message.color_range_start));
    coloured_.append("\033[m").append(text.substr(message.color_range_end));
    writer_->write(coloured_);
  }
  void flush_() override {
    if (writer_) writer_->flush();
  }

 private:
  static std::string_view colour_of(spdlog::level::level_enum level) {
    if (level >= spdlog::level::err) return "\033[31m\033[1m";
    if (level == spdlog::level::warn) return "\033[33m\033[1m";
    return level == spdlog::level::info ? "\033[32m" : "\033[36m";
  }

  std::shared_ptr<LogWriter> writer_;  // under mutex_, as the lines below
  const bool colours_;
  spdlog::memory_buf_t line_;
  std::string coloured_;
};

// Null before start_logging().
WriterSink* writer_sink() {
  const auto& sinks = spdlog::default_logger_raw()->sinks();
  return sinks.empty() ? nullptr : dynamic_cast<WriterSink*>(sinks.front().get());
}

}  // namespace

Status start_logging(const LogConfig& config, std::string_view node_name) {
  auto writer = std::make_shared<LogWriter>();
  if (!config.file.empty()) {
    if (Status status = writer->open_file(config.file); !status.ok()) return status;
  }
  writer->set_on_trouble([](std::string_view text) { write_log(LogLevel::kWarn, text); });
  const bool colours = config.file.empty() && isatty(STDERR_FILENO) == 1;
  auto logger = std::make_shared<spdlog::logger>(std::string(node_name),
                                                 std::make_shared<WriterSink>(writer, colours));
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  if (config.format == LogFormat::kJson) {
    formatter->add_flag<JsonMessage>('*').set_pattern(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","node":)" + json_text(node_name) +
        R"(,"message":%*})");
  } else {
    formatter->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%-5l%$ %n: %v");
  }
  logger->set_formatter(std::move(formatter));
  logger->set_level(to_spdlog(config.level));
  spdlog::set_default_logger(std::move(logger));
  return {};
}

void stop_logging() {
  if (WriterSink* const sink = writer_sink()) sink->end();
}

void set_log_level(LogLevel level) { spdlog::default_logger_raw()->set_level(to_spdlog(level)); }

bool reopen_log() {
  WriterSink* const sink = writer_sink();
  return sink != nullptr && sink->reopen();
}

bool logs(LogLevel level) { return spdlog::default_logger_raw()->should_log(to_spdlog(level)); }

void write_log(LogLevel level, std::string_view text) {
  spdlog::default_logger_raw()->log(to_spdlog(level),
                                    spdlog::string_view_t(text.data(), text.size()));
}

std::string json_text(std::string_view text) { return boost::json::serialize(as_utf8(text)); }

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
