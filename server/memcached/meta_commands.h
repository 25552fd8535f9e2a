// SPDX-License-Identifier: Apache-2.0
// memcached's meta commands: mg, ms, md, ma, me, mn. A command that only looks is a read; one that
// may change the item is one of the edits of item_edits.h. The exception is mg of a stale item that
// nobody is to write anew yet: it is read, and an edit follows (Reply::follow_up), so that only one
// client wins. Pure.
//
// What differs from memcached (docs/COMMANDS.md says it too): cas uniques are hashes, so that of I
// any unique that is not the present one counts as an older one, but where a client gave it (E);
// `l`, `la`, `h` and `fetch` tell of writes, since that a value was read is not kept.
#pragma once

#include "server/memcached/memcached_commands.h"

namespace kvorum::server {

void plan_meta(const MemcachedCall& call, Plan& plan);

}  // namespace kvorum::server
