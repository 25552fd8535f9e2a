// SPDX-License-Identifier: Apache-2.0
#include "server/logbook/latency_percentiles.h"

#include <fmt/format.h>

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace kvorum::server {

std::vector<double> LatencyPercentiles::get() const {
  const MutexLock lock(mutex_);
  return percents_;
}

void LatencyPercentiles::set(std::vector<double> percents) {
  const MutexLock lock(mutex_);
  percents_ = std::move(percents);
}

std::string percent_text(double percent) {
  std::string text = fmt::format("{:f}", percent);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string read_percents(const std::vector<std::string_view>& words,
                          std::vector<double>* percents) {
  constexpr const char* kNone = "Invalid latency-tracking-info-percentiles parameters";
  if (words.size() > LatencyPercentiles::kMost) return kNone;
  percents->clear();
  for (const std::string_view word : words) {
    const std::string text(word);
    char* end = nullptr;
    const double percent = std::strtod(text.c_str(), &end);
    const bool is_all = !text.empty() && end == text.c_str() + text.size();
    if (!is_all || std::isspace(static_cast<unsigned char>(text[0])) || std::isnan(percent)) {
      return kNone;
    }
    if (percent < 0 || percent > 100) {
      return "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
    }
    percents->push_back(percent);
  }
  return {};
}

}  // namespace kvorum::server
