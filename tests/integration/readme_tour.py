#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: takes whole blocks of ports
"""Walks the README's tour as somebody who types it: `kvorum dev` runs, each command of the tour
goes to one shell on a terminal, and what it prints is compared with what the README says. Contexts
and numbers may differ; ports are those of a free block. readme_tour.py [path/to/kvorum]."""
import os
import pty
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from node_processes import Checks, is_free

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum')
NEEDED = ('redis-cli', 'memccat', 'nc', 'bash')
# The first port of four of each kind, as the README has them.
USUAL = (6379, 7379, 8379, 11211)
SECONDS = 15  # for what takes a moment: a node found dead, a hint on its way
checks = Checks()


def read_tour():
    """(command, lines it prints) of the section."""
    with open(os.path.join(ROOT, 'README.md'), encoding='utf-8') as file:
        section = file.read().split('## A tour in sixty seconds', 1)[1].split('\n## ', 1)[0]
    steps = []
    for line in section.splitlines():
        if line.startswith('    $ '):
            steps.append((line[6:], []))
        elif line.startswith('    ') and steps:
            steps[-1][1].append(line[4:])
        elif line and not line.startswith('    '):
            steps.append((None, []))  # prose ends an output
    return [step for step in steps if step[0]]


def free_shift():
    for shift in random.sample(range(6000, 15000), 1000):
        if all(is_free(port + shift + i) for port in USUAL for i in range(4)):
            return shift
    raise RuntimeError('no free block of ports')


def moved(text, shift):
    """The text with the ports of this run in the place of the usual ones."""
    ports = {str(port + i): str(port + i + shift) for port in USUAL for i in range(4)}
    return re.sub(r'\b(%s)\b' % '|'.join(ports), lambda match: ports[match.group()], text)


def blurred(lines, shift):
    """What must be equal: without contexts, numbers and widths."""
    text = '\n'.join(moved(line, shift) for line in lines)
    text = re.sub(r'[A-Za-z0-9_-]{40,}', 'CONTEXT', text.replace('\r', ''))
    text = re.sub(r'\b\d+\b', 'N', text)
    return [' '.join(line.split()) for line in text.splitlines() if line.strip()]


class Shell:
    """A bash whose standard output is a terminal, which redis-cli looks at."""

    def __init__(self, folder):
        self.terminal, slave = pty.openpty()
        with open(os.path.join(folder, 'errors'), 'ab') as errors:
            self.process = subprocess.Popen(
                ['bash', '--norc', '--noprofile'],
                stdin=subprocess.PIPE,
                stdout=slave,
                stderr=errors,
                cwd=folder,
                env=dict(os.environ, LC_ALL='C', TERM='dumb'),
                start_new_session=True,
            )
        os.close(slave)

    def run(self, command, seconds):
        """The lines that it prints; None where it does not end."""
        mark = 'end-%d' % random.getrandbits(60)
        self.process.stdin.write(('%s\necho; echo %s\n' % (command, mark)).encode())
        self.process.stdin.flush()
        got, end = '', time.monotonic() + seconds
        while mark not in got:
            if not select.select([self.terminal], [], [], max(end - time.monotonic(), 0))[0]:
                return None
            got += os.read(self.terminal, 65536).decode(errors='replace')
        return got.split(mark)[0].splitlines()

    def end(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.terminal)


def agrees(command, got, wanted):
    """`status` may tell more than the README has room for, what it says has to be there."""
    if got is None or 'kvorum status' not in command:
        return got == wanted
    rest = iter(got)
    return all(line in rest for line in wanted)


def is_reading(command):
    return re.search(r' (GET|KV\.GET|KV\.LOCAL|status|members)\b', command) is not None


def walk(shell, shift):
    for command, printed in read_tour():
        typed = moved(command, shift)
        admin = ' --admin 127.0.0.1:%d' % (8379 + shift)
        if '--admin' not in typed:
            typed = re.sub(r'kvorum (status|members)', r'kvorum \1' + admin, typed)
        wanted = blurred(printed, shift)
        end = time.monotonic() + SECONDS
        while True:
            lines = shell.run(typed, SECONDS)
            got = None if lines is None else blurred(lines, 0)
            good = agrees(command, got, wanted)
            if good or not is_reading(command) or time.monotonic() > end:
                break
            time.sleep(0.1)
        checks.that('$ ' + command, good, '%s, not %s' % (got, wanted))


def tour(folder):
    shift = free_shift()
    os.makedirs(os.path.join(folder, 'build', 'release'))
    os.symlink(BINARY, os.path.join(folder, 'build', 'release', 'kvorum'))
    dev = subprocess.Popen(
        [BINARY, 'dev', '--base-port', str(6379 + shift)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    shell = Shell(folder)
    try:
        said = ''
        for line in dev.stdout:
            said += line
            if 'The cluster is settled' in line:
                break
        settled = 'The cluster is settled' in said
        if checks.that('three nodes run', settled, said):
            walk(shell, shift)
    finally:
        shell.end()
        dev.send_signal(signal.SIGTERM)
        dev.communicate(timeout=30)


def main():
    missing = [program for program in NEEDED if not shutil.which(program)]
    if missing:
        print('skipped: not installed: ' + ' '.join(missing))
        print('0 passed, 0 failed')
        return 0
    folder = tempfile.mkdtemp(prefix='kvorum-tour-')
    try:
        checks.attempt('the tour', tour, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
