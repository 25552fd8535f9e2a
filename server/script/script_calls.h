// SPDX-License-Identifier: Apache-2.0
// The commands of a running script: redis.call("GET", key) is planned by the command's handler, as
// a client's is, and its operations are done on the script's keys. One thread at a time.
#pragma once

#include <string>
#include <vector>

#include "server/commands/command.h"
#include "server/script/script_facts.h"
#include "server/script/script_keys.h"
#include "server/script/script_task.h"

namespace kvorum::server {

class ScriptCalls {
 public:
  // For the calls that follow; all outlive them.
  void begin(const ScriptTask& task, ScriptKeys& keys, uint64_t value_bytes_max);

  // The reply, which borrows from the keys and from this until the next call. Never empty words.
  protocol::Reply run(Words words);

  // What was published since begin(), and lines for MONITOR: of each u8 a Said, bytes the channel
  // or the line, bytes the payload or nothing.
  enum class Said : uint8_t { kMessage, kShardMessage, kMonitorLine };
  const std::string& said() const { return said_; }

  // As redis.setresp() says.
  void set_resp(protocol::RespVersion version) { session_.resp = version; }
  protocol::RespVersion resp() const { return session_.resp; }

 private:
  void show(const CommandRow& row, Words words);
  protocol::Reply publish(bool is_sharded, Words words);
  protocol::Reply call(const CommandRow& row, Words words);
  std::string_view refusal(const CommandRow& row, Words words) const;
  protocol::Reply select(Words words);
  bool are_declared() const;
  protocol::Reply run_operations();
  protocol::Reply run_operation(const cluster::Request& request);
  std::string_view run_edit(ScriptKey& key, const cluster::Request& request,
                            cluster::Completion* completion);
  protocol::Reply run_stages();
  std::string_view run_stage_operation(const cluster::Request& request, StageResult* result);
  protocol::Reply gather(std::vector<protocol::Reply> replies) const;

  const ScriptTask* task_ = nullptr;
  ScriptKeys* keys_ = nullptr;
  ScriptFacts facts_;
  SessionState session_;
  Plan plan_;
  cluster::Object seen_;              // of a read
  std::vector<std::string> scratch_;  // of the operations of one command
  size_t operation_ = 0;
  std::string said_;
  bool has_written_ = false;                    // since begin()
  std::vector<std::string> stage_words_;        // of a command of several stages
  std::vector<std::vector<StageResult>> done_;  // of those before
};

}  // namespace kvorum::server
