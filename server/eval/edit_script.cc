// SPDX-License-Identifier: Apache-2.0
#include "server/eval/edit_script.h"

#include "server/script/script_engine.h"
#include "server/transaction/edit_batch.h"

namespace kvorum::server {
namespace {

EditOutput show(const EditInput& input, std::string& scratch) {
  scratch.clear();
  put_u64(scratch, watch_digest(input.object, input.now_ms));
  put_u8(scratch, input.may_be_evicted);
  put_versions(scratch, input.visible);
  return with_reply({}, kScriptSnapshot, scratch);
}

std::string reply_and_said(std::string_view reply, std::string_view said) {
  std::string both;
  put_bytes(both, reply);
  both.append(said);
  return both;
}

}  // namespace

bool get_snapshot(std::string_view bytes, KeySnapshot* snapshot) {
  ByteReader reader(bytes);
  snapshot->digest = reader.u64();
  snapshot->may_be_evicted = reader.u8() != 0;
  return get_versions(reader, &snapshot->visible);
}

EditOutput edit_script(const EditInput& input, std::string& scratch) {
  if (input.value == kSnapshotOfKey) return show(input, scratch);
  ScriptTask task;
  if (!get_script_task(input.argument, &task)) return reject("ERR a script was malformed");
  // The clock of who coordinates: deadlines are judged by it.
  task.now_us = std::max(task.now_us, input.now_ms * 1000);
  ScriptKey key(input);
  ScriptKeys keys;
  keys.add(key);
  scratch.clear();
  const ScriptEngine::Limits limits{{kInstructionsOnReactor, nullptr}, input.value_bytes_max};
  ScriptEngine& engine = ScriptEngine::of_this_thread();
  const ScriptEnd end = engine.run(task, keys, limits, scratch);
  if (end != ScriptEnd::kDone) return with_reply({}, kScriptTooLong, input.argument);
  if (!engine.said().empty()) [[unlikely]] {
    scratch = reply_and_said(scratch, engine.said());
    return answer_behind(key.local(), scratch, kScriptSaid);
  }
  return answer_behind(key.local(), scratch, kScriptDone);
}

}  // namespace kvorum::server
