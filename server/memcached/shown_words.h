// SPDX-License-Identifier: Apache-2.0
// A request of memcached as MONITOR shows it: the words of its line, or its name in the text
// protocol and its key, and behind them its data block. Pure; views into the request.
#pragma once

#include <string_view>
#include <vector>

#include "protocol/memcached_binary.h"
#include "protocol/memcached_request.h"

namespace kvorum::server {

std::vector<std::string_view> shown_words(const protocol::MemcachedRequest& request);
// Who logs in shows no more than that.
std::vector<std::string_view> shown_words(const protocol::MemcachedBinaryRequest& request);

}  // namespace kvorum::server
