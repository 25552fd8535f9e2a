// SPDX-License-Identifier: Apache-2.0
// In a handler only what is async-signal-safe may be called: no allocation, no locale, no lock.
#include "server/process/crash_report.h"

#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kvorum::server {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitizerReports = true;  // a better one
#else
constexpr bool kSanitizerReports = false;
#endif
constexpr int kFramesMax = 64;
constexpr size_t kAltStackBytes = 64 * 1024;

// Text in a buffer of its own; what does not fit is left out.
class Line {
 public:
  Line& operator<<(std::string_view text) {
    for (const char c : text) put(c);
    return *this;
  }
  Line& hex(uint64_t value) {
    *this << "0x";
    int shift = 60;
    while (shift > 0 && (value >> shift) == 0) shift -= 4;
    for (; shift >= 0; shift -= 4) put("0123456789abcdef"[(value >> shift) & 15]);
    return *this;
  }
  Line& decimal(uint64_t value) {
    if (value >= 10) decimal(value / 10);
    put(static_cast<char>('0' + value % 10));
    return *this;
  }
  std::string_view view() const { return {bytes_, size_}; }

 private:
  void put(char c) {
    if (size_ < sizeof bytes_) bytes_[size_++] = c;
  }

  char bytes_[4096];
  size_t size_ = 0;
};

// Of the binary itself: where it lies in memory.
struct Image {
  uintptr_t base = 0, begin = 0, end = 0;
};

Image image;
char log_path[4096];
char alternate_stack[kAltStackBytes];
std::atomic<bool> reporting;

int find_image(dl_phdr_info* info, size_t, void*) {
  image.base = info->dlpi_addr;
  image.begin = UINTPTR_MAX;
  for (size_t at = 0; at < info->dlpi_phnum; ++at) {
    const auto& header = info->dlpi_phdr[at];
    if (header.p_type != PT_LOAD) continue;
    const uintptr_t begin = info->dlpi_addr + header.p_vaddr;
    if (begin < image.begin) image.begin = begin;
    if (begin + header.p_memsz > image.end) image.end = begin + header.p_memsz;
  }
  return 1;  // the binary comes first
}

std::string_view name_of(int number) {
  switch (number) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGFPE:
      return "SIGFPE";
    case SIGILL:
      return "SIGILL";
    default:
      return "SIGABRT";
  }
}

void put_frames(Line& line) {
  void* frames[kFramesMax];
  const int count = backtrace(frames, kFramesMax);
  for (int at = 0; at < count; ++at) {
    const auto address = reinterpret_cast<uintptr_t>(frames[at]);
    if (address >= image.begin && address < image.end) line.hex(address - image.base) << " ";
  }
}

void write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = ::write(descriptor, text.data(), text.size());
    if (wrote <= 0) return;
    text.remove_prefix(static_cast<size_t>(wrote));
  }
}

void put_cause(Line& line, const siginfo_t& info) {
  if (info.si_code <= 0 && info.si_pid != getpid()) {
    line << ", sent by process ";
    line.decimal(static_cast<uint64_t>(info.si_pid));
  } else if (info.si_code > 0) {
    line << " at address ";
    line.hex(reinterpret_cast<uintptr_t>(info.si_addr));
  }
}

void report(int number, const siginfo_t& info) {
  char thread[16] = {};
  pthread_getname_np(pthread_self(), thread, sizeof thread);
  Line line;
  line << "\nkvorum " << KVORUM_VERSION << ", process ";
  line.decimal(static_cast<uint64_t>(getpid())) << ", crashed: " << name_of(number);
  put_cause(line, info);
  line << ", in thread " << thread << "\ncrash offsets: ";
  put_frames(line);
  line << "\nwhat they are: addr2line -Cfie BINARY OFFSET...\n";
  write_all(STDERR_FILENO, line.view());
  if (log_path[0] == '\0') return;
  const int file = ::open(log_path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return;
  write_all(file, line.view());
  ::close(file);
}

// One thread reports, and the signal then ends the process with what it was. A fault in here does
// so at once.
void on_fault(int number, siginfo_t* info, void*) {
  while (reporting.exchange(true)) ::pause();
  report(number, *info);
  ::signal(number, SIG_DFL);
  ::raise(number);
}

}  // namespace

// The first backtrace() of a process loads what it needs, which must not happen in a handler.
void install_crash_report(const std::string& log_file) {
  if (kSanitizerReports) return;
  void* frame[1];
  (void)backtrace(frame, 1);
  dl_iterate_phdr(find_image, nullptr);
  log_path[log_file.copy(log_path, sizeof log_path - 1)] = '\0';
  stack_t stack{};
  stack.ss_sp = alternate_stack;
  stack.ss_size = sizeof alternate_stack;
  sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    sigaction(number, &action, nullptr);
  }
}

}  // namespace kvorum::server
