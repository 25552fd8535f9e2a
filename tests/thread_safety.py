#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What base/thread_safety.h says of locks, checked by clang over the folders that say it.

thread_safety.py [--build build/release] [FILE...]: all files of FOLDERS, or these. The directory
must be configured: it knows the options of each file. Ends with `N passed, N failed`.
"""
import argparse
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDERS = ('base', 'engine', 'cluster', 'server')
CLANG = ['clang++', '-fsyntax-only', '-Wno-everything', '-Wthread-safety', '-Werror=thread-safety']
KEPT_OPTIONS = ('-D', '-I', '-std=')
# A check that finds nothing here finds nothing anywhere.
PLANTED = """#include "base/mutex.h"
#include "base/spin_lock.h"
class Planted {
 public:
  int unguarded() { return guarded_; }
  void unlocked() KVORUM_REQUIRES(lock_) {}
  void forgetful() { unlocked(); }

 private:
  kvorum::Mutex mutex_;
  kvorum::SpinLock lock_;
  int guarded_ KVORUM_GUARDED_BY(mutex_) = 0;
};
"""
PLANTED_TROUBLES = ("variable 'guarded_' requires holding", "function 'unlocked' requires holding")


def commands_of(build):
    """Each source of FOLDERS with the command that checks it."""
    with open(os.path.join(ROOT, build, 'compile_commands.json'), encoding='utf-8') as file:
        entries = json.load(file)
    commands = {}
    for entry in entries:
        path = os.path.relpath(os.path.join(entry['directory'], entry['file']), ROOT)
        if path.split(os.sep)[0] not in FOLDERS or not path.endswith('.cc'):
            continue
        words, options = shlex.split(entry['command']), []
        for word, following in zip(words, words[1:] + ['']):
            if word.startswith(KEPT_OPTIONS):
                options.append(word)
            elif word == '-isystem':
                options += [word, following]
        commands[path] = CLANG + options + [path]
    return commands


def troubles_of(command):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode != 0 else ''


def planted_is_found():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'planted.cc')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(PLANTED)
        troubles = troubles_of(CLANG + ['-std=c++20', '-I.', path])
    return all(trouble in troubles for trouble in PLANTED_TROUBLES)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument('--build', default='build/release')
    options.add_argument('files', nargs='*')
    settings = options.parse_args()
    commands = commands_of(settings.build)
    names = [os.path.relpath(os.path.abspath(name), ROOT) for name in settings.files]
    names = names or sorted(commands)
    failed = 0
    if not planted_is_found():
        print('clang does not find what was planted for it')
        failed += 1
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for troubles in pool.map(lambda name: troubles_of(commands[name]), names):
            failed += bool(troubles)
            sys.stdout.write(troubles)
    print('%d passed, %d failed' % (len(names) + 1 - failed, failed))
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
