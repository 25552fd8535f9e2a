// SPDX-License-Identifier: Apache-2.0
// What a process that is about to die of its own fault still says: the signal, the thread, the
// address, and where in the binary it was. The offsets are for `addr2line -Cfie BINARY OFFSET...`
// (a release binary has its line tables). The signal then has its usual effect, a core file
// included. A stack that overflowed outside of the main thread ends the process without a report.
#pragma once

#include <string>

namespace kvorum::server {

// To standard error, and behind the lines of the log file unless that is empty. Once per process,
// before other threads run.
void install_crash_report(const std::string& log_file);

}  // namespace kvorum::server
