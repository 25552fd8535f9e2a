// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <iterator>

#include "server/commands/command_table.h"

namespace kvorum::server {
namespace {

struct Chapter {
  Group group;
  std::string_view title;
};
constexpr Chapter kChapters[] = {
    {Group::kQuorum, "Quorums, contexts and siblings"},
    {Group::kString, "Strings"},
    {Group::kGeneric, "Keys"},
    {Group::kConnection, "Connection"},
    {Group::kServer, "Server"},
    {Group::kTransactions, "Transactions"},
    {Group::kCluster, "Clients of Redis Cluster"},
    {Group::kPubSub, "Publish and subscribe"},
    {Group::kScripting, "Scripts and functions"},
};

std::string capitals(std::string_view name) {
  std::string text;
  for (char letter : name) {
    const bool small = letter >= 'a' && letter <= 'z';
    text.push_back(letter == '|' ? ' ' : small ? static_cast<char>(letter - 32) : letter);
  }
  return text;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (char letter : text) {
    if (letter == '|') out.push_back('\\');
    out.push_back(letter);
  }
  return out;
}

void write_row(const CommandRow& row, std::string& text) {
  if (row.flags & kContainer && !row.handler) return;  // its subcommands follow
  std::string syntax = capitals(row.name);
  if (!row.arguments.empty()) syntax.append(" ").append(escaped(row.arguments));
  fmt::format_to(std::back_inserter(text), "| `{}` | {} | {} |\n", syntax, escaped(row.summary),
                 escaped(row.complexity));
}

constexpr std::string_view kMemcachedChapter =
    "\n## memcached\n\n"
    "On its own port, on database 0, over TCP alone. The first byte of a connection decides "
    "whether "
    "it speaks the text or the binary protocol. Keys have at most 250 bytes. What differs from "
    "memcached stands in italics.\n\n"
    "**Text**: `get` `gets` `gat` `gats` `set` `add` `replace` `append` `prepend` `cas` `delete` "
    "`incr` `decr` `touch` `flush_all` `version` `verbosity` `stats` `quit`, with `noreply`. `get` "
    "answers the newest version; `gets` *each sibling as an item of its own, all with one cas "
    "unique*, which `touch` leaves as it is. *A `flush_all` with a delay comes also where another "
    "one came meanwhile. A line of more than 2 kB that names no keys ends the connection, in "
    "whatever pieces it comes.* With a password, the first request is `set <any key> 0 0 "
    "<bytes>` with "
    "`default <password>` as its value.\n\n"
    "**Meta commands**: `mg` `ms` `md` `ma` `mn` `me` with all their flags. *Uniques are hashes: "
    "for `I` any unique that is not the present one counts as an older one, but where the client "
    "chose it (`E`). That a value was read is not kept: `h` is 0 and `fetch` no, `l` and `la` tell "
    "the seconds since the last write, `u` changes nothing.*\n\n"
    "**Binary protocol**: all commands with their quiet forms; SASL's `PLAIN` as the user "
    "`default` "
    "where a password is set. *What cannot be served now is answered with status 0x86 and the text "
    "that Redis's clients get.* `verbosity` is unknown, as to memcached.\n\n"
    "**For operators**: `stats`, `stats settings`, `items`, `slabs`, `sizes`, `conns`, `detail`, "
    "`reset`, `cachedump`; `lru_crawler metadump` and `mgdump`; `cache_memlimit`; `watch` with "
    "`fetchers`, `mutations`, `deletions`, `evictions` and `connevents`. *Names about slabs, lists "
    "and buffers "
    "are there and 0; all items are of class 1. A dump has the keys of the whole cluster; sizes, "
    "times and uniques are those of the node's own copy, where that is in memory, and 0 elsewhere; "
    "`la` is the last write. `lru`, `slabs automove`, `lru_crawler enable` and the like answer OK "
    "and mean nothing; `slabs reassign` is refused. Who watches sees what clients of this node do: "
    "a `set` looks nothing up and so is no fetch, a deletion's size is 0; and evictions that it "
    "decided. A watcher that does not take its lines misses some, `skipped=N`.*\n";

// What Redis's own suite (tests/unit of 7.2, against a running server) expects otherwise; test by
// test in tests/suites/redis_tcl.txt.
constexpr std::string_view kDifferencesChapter =
    "\n## Where Redis's own tests find a difference\n\n"
    "`tests/suites/redis_tcl.py` plays them against a node and redis-server; "
    "`tests/suites/redis_tcl.txt` names each test that fails here for one of these reasons. What "
    "stands in neither is the same.\n\n"
    "| what | here | why |\n|---|---|---|\n"
    "| lists, sets, hashes, sorted sets, streams, `SORT`, blocking commands | not there: unknown "
    "commands | strings alone, in this version; `CLIENT UNBLOCK` answers 0 |\n"
    "| `SYNC`, `PSYNC`, `REPLICAOF`, `MIGRATE`, `FAILOVER`, what a replica would hear | not there "
    "| "
    "copies are the cluster's own |\n"
    "| `ACL`, users | not there | one user in this version |\n"
    "| `SWAPDB`, `SELECT` beyond 15, `SHUTDOWN`, `CLUSTER` for managing one | not there | another "
    "design: keyspaces have policies, nodes an owner, members `KV.CLUSTER` |\n"
    "| `SAVE`, `BGSAVE`, `BGREWRITEAOF`, `LASTSAVE` | answer, and do nothing; refused without a "
    "disk | each write is on its way to the disk at once; so `rdb_changes_since_last_save` is 0 "
    "|\n"
    "| `OBJECT ENCODING` after `APPEND`, `SETRANGE`, `SETBIT` | by the bytes: `int`, `embstr`, "
    "`raw` | how a value came to be is not kept |\n"
    "| `OBJECT IDLETIME` | since the last write | of a read there is one bit, for the eviction, "
    "and no room for a time |\n"
    "| a long script | others are served meanwhile: no `-BUSY`, no EXEC that aborts for one, no "
    "`-UNKILLABLE` | it runs on a thread of its own, on copies ([scripts](SCRIPTS.md)) |\n"
    "| keys that a script did not declare, or in another database than its caller's | refused | "
    "they may be at another node |\n"
    "| `SCAN`, `KEYS`, `DBSIZE`, `RANDOMKEY` in a script | refused | they need all nodes |\n"
    "| a script's memory | 8 MiB | it must not take a node's |\n"
    "| `-OOM` | by who stores the value; when a command is queued, or a script begun, already "
    "where the node that is asked is one of those; `allow-oom` lets a script run, not "
    "write | memory is that of the replicas |\n"
    "| commands in transactions and scripts | in the slow log as `EXEC`, `EVAL`; in `INFO "
    "commandstats` by their names, those of a transaction with the time of planning them; errors "
    "that a script caught are not in `errorstats` | commands of one key are one edit |\n"
    "| `MONITOR` and scripts | what a script calls is shown once it has ended; what was tried in "
    "vain is not | it may run at another node |\n"
    "| `WATCH` of keys in several partitions | `-CROSSSLOT` | each partition has its own "
    "coordinator |\n"
    "| `DBSIZE` | without keys that have expired | they are gone at once |\n"
    "| values that expire while `CLIENT PAUSE` holds | go | the pause is of one node's clients |\n"
    "| `KEYS` with thousands of stars | finds what matches | our matcher is never deep; Redis "
    "gives "
    "up |\n"
    "| `CONFIG SET` of `appendonly`, `port`, `bind`, `dir` | refused, unless it is that already | "
    "the YAML file decides |\n"
    "| events of keys: `new` (`n`) | never come | a `SET` does not look at what was there |\n"
    "| events of keys: `evicted` (`e`) | from the node that chose the key | the other copies are "
    "dropped as a repair is |\n"
    "| `qbuf` of `CLIENT LIST` | what of a request waits for the rest of it | connections share "
    "the buffer into which they are read |\n"
    "| events of `LATENCY` | `command` and `fast-command` | there is no fork, and expiry is no "
    "cycle |\n"
    "| `DEBUG` | `SLEEP`, `OBJECT`, `PROTOCOL`, `SET-ACTIVE-EXPIRE`, `ERROR`, "
    "`SET-DISABLE-DENY-SCRIPTS`, which lets scripts call `DEBUG` | the others are about Redis's "
    "insides |\n";

}  // namespace

std::string commands_text() {
  std::string text;
  for (const CommandRow* row : all_commands()) {
    if (row->flags & kContainer && !row->handler) continue;
    fmt::format_to(std::back_inserter(text), "{:<18} {}\n", capitals(row->name), row->summary);
  }
  return text;
}

std::string commands_markdown() {
  std::string text =
      "# Commands\n\n"
      "Made from the command table by `kvorum commands --markdown`; do not edit. Redis's commands "
      "keep Redis's syntax, replies and error texts; the `KV.` commands are Kvorum's own. Commands "
      "of several keys run key by key and are not atomic across them. A command that would have to "
      "edit one of several siblings answers `-CONFLICT`. A key has at most 65536 bytes, from "
      "memcached 250.\n";
  for (const Chapter& chapter : kChapters) {
    fmt::format_to(std::back_inserter(text), "\n## {}\n\n| command | what it does | cost |\n",
                   chapter.title);
    text.append("|---|---|---|\n");
    for (const CommandRow* row : all_commands()) {
      if (row->group == chapter.group) write_row(*row, text);
    }
  }
  text.append(kMemcachedChapter);
  text.append(kDifferencesChapter);
  return text;
}

}  // namespace kvorum::server
