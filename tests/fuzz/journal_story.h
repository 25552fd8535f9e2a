// SPDX-License-Identifier: Apache-2.0
// A journal that an input writes: batches, syncs, checkpoints, starts. Then one byte of the disk is
// changed, or the power fails, and what recovers is compared with what was written.
#pragma once

#include <string_view>

namespace kvorum::fuzz {

void tell_journal_story(std::string_view input);

}  // namespace kvorum::fuzz
