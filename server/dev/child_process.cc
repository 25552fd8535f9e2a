// SPDX-License-Identifier: Apache-2.0
#include "server/dev/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kvorum::server {
namespace {

// Only what is allowed between fork and exec.
[[noreturn]] void become(char* const* arguments, int log, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);  // it ended before the line above
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv("/proc/self/exe", arguments);
  _exit(127);
}

}  // namespace

Result<ChildProcess> start_child(const std::string& name, const std::vector<std::string>& arguments,
                                 const std::string& log_file) {
  const int log = open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log < 0) {
    return Status(Code::kIoError,
                  fmt::format("cannot write {}: {}", log_file, std::strerror(errno)));
  }
  std::vector<std::string> words = {"kvorum"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) become(pointers.data(), log, parent);
  const int error = errno;
  close(log);
  if (pid < 0) {
    return Status(Code::kUnavailable,
                  fmt::format("cannot start a process: {}", std::strerror(error)));
  }
  return ChildProcess{.name = name, .pid = pid};
}

std::string end_text(int wait_status) {
  if (WIFSIGNALED(wait_status))
    return fmt::format("was killed by signal {}", WTERMSIG(wait_status));
  return fmt::format("exited with status {}", WEXITSTATUS(wait_status));
}

}  // namespace kvorum::server
