// SPDX-License-Identifier: Apache-2.0
// Keyspace events: which there are, by Redis's letters and names, and what an operation would do to
// its key if it changes it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cluster/version/edit.h"
#include "cluster/wire/request.h"
#include "server/connection/key_event.h"

namespace kvorum::server {

// What `notify-keyspace-events` asks for, a bit for each letter.
using EventLetters = uint32_t;

// Nothing where it has another letter than Redis knows.
std::optional<EventLetters> read_event_letters(std::string_view text);
// As CONFIG GET shows them.
std::string event_letters_text(EventLetters letters);

bool on_key_channel(EventLetters letters);    // K: __keyspace@0__:key
bool on_event_channel(EventLetters letters);  // E: __keyevent@0__:event
bool asks_for(EventLetters letters, KeyEvent event);
std::string_view name_of(KeyEvent event);

// Of an edit that the command, by its row's name, asks for.
KeyChange change_of(const cluster::Request& request, std::string_view command, uint64_t now_ms);
// The events of one edit within a batch or a script, which was stored.
KeyEvents events_of(cluster::EditCode edit, std::string_view argument,
                    const cluster::EditOutput& output, uint64_t now_ms);
// Whether it changed its key: of one that was part of a batch only the reply is known.
bool did_change(cluster::EditCode edit, const cluster::Completion& completion);

}  // namespace kvorum::server
