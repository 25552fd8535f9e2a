#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: takes whole blocks of ports
"""`kvorum dev` as a person uses it: start, try what it prints, kill a node, Ctrl-C, start again.
dev.py [path/to/kvorum]; ends with `N passed, N failed`."""
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

from node_processes import Checks, Resp, is_free, run, until

BINARY = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum')
REDIS_PORT, OTHER_PORTS = 6379, (11211, 7379, 8379)
checks = Checks()


class Dev:
    def __init__(self, folder, *options):
        self.process = subprocess.Popen(
            [BINARY, 'dev', '--data', os.path.join(folder, 'dev')] + list(options),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            text=True,
        )
        self.said = ''
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()  # its children end with it
        self.process.wait()
        self.reader.join()

    def read(self):
        for line in self.process.stdout:
            self.said += line

    def says(self, pattern, seconds=30):
        return until(lambda: re.search(pattern, self.said), seconds)

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait(15)


def children_of(pid):
    with open('/proc/%d/task/%d/children' % (pid, pid), encoding='ascii') as file:
        return [int(child) for child in file.read().split()]


def free_base():
    """Such that all ports of four nodes are free; below those of outgoing connections."""
    for base in random.sample(range(12000, 26000), 1000):
        starts = [base] + [base - REDIS_PORT + usual for usual in OTHER_PORTS]
        if all(is_free(start + i) for start in starts for i in range(4)):
            return base
    raise RuntimeError('no free block of ports')


def first_run(folder, base):
    with Dev(folder, '--base-port', str(base)) as dev:
        checks.that('dev settles', dev.says('The cluster is settled'), dev.said)
        printed = re.findall(r'node \w: process (\d+)', dev.said)
        children = children_of(dev.process.pid)
        checks.that('it names the processes', printed == [str(one) for one in children], dev.said)
        commands = ('redis-cli -p %d SET' % base, 'KV.GET', 'status --admin', 'Ctrl-C')
        checks.that('it says what to try', all(word in dev.said for word in commands), dev.said)
        with Resp(base) as a, Resp(base + 2) as c:
            checks.that(
                'its nodes are one cluster', a('SET', 'k', 'v') == b'OK' and c('GET', 'k') == b'v'
            )
        again = run(BINARY, 'dev', '--data', os.path.join(folder, 'dev'))
        checks.that('a second run: status 1', again.returncode == 1, again.stderr)
        named = str(dev.process.pid) in again.stderr and str(base) in again.stderr
        checks.that('it names the process and the ports', named, again.stderr)
        checks.that('a process per node', len(children) == 3, children)
        os.kill(children[1], signal.SIGKILL)
        checks.that(
            'a node that died is reported', dev.says('Node b was killed by signal 9', 5), dev.said
        )
        with Resp(base) as a:
            checks.that('the others go on', a('SET', 'after', 'w') == b'OK')
        start_again(folder, dev, base + 1)
        checks.that('SIGINT: status 0', dev.end(signal.SIGINT) == 0, dev.said)
        gone = [pid for pid in children if not os.path.exists('/proc/%d' % pid)]
        checks.that('no process is left', gone == children, gone)


def start_again(folder, dev, port):
    """As the report of a node that died says."""
    command = re.search(r'to start it again: (.*)', dev.said)
    if not checks.that('it says how to start the node again', command, dev.said):
        return
    with open(os.path.join(folder, 'again.log'), 'wb') as log:
        again = subprocess.Popen(command.group(1).split(), cwd=folder, stdout=log, stderr=log)
    try:
        checks.that('and so it is', until(lambda: answers(port, 'after', b'w'), 10))
    finally:
        again.terminate()
        checks.that('it ends with status 0', again.wait(15) == 0)


def answers(port, key, value):
    try:
        with Resp(port) as client:
            return client('GET', key) == value
    except OSError:
        return False


def grows(folder, base):
    """A node more, a founder less; and so it starts again."""
    with Dev(folder) as dev:
        dev.says('The cluster is settled')
        data = os.path.join(folder, 'dev')
        added = run(BINARY, 'dev', 'add', '--data', data, seconds=60)
        checks.that('a node is added', added.returncode == 0, added.stdout + added.stderr)
        checks.that('it says where', 'node d: redis %d' % (base + 3) in added.stdout, added.stdout)
        checks.that('and it serves', until(lambda: answers(base + 3, 'k', b'v'), 10))
        removed = run(BINARY, 'dev', 'remove', 'a', '--data', data, seconds=60)
        checks.that('a founder is removed', removed.returncode == 0, removed)
        checks.that('its process ends', dev.says('Node a was removed'), dev.said)
        checks.that('what it held is there', answers(base + 1, 'k', b'v'))
        stranger = run(BINARY, 'dev', 'remove', 'x', '--data', data)
        checks.that('a stranger is refused', stranger.returncode == 1, stranger)
        dev.end(signal.SIGTERM)
        nobody = run(BINARY, 'dev', 'add', '--data', data)
        checks.that('where none runs: status 1', nobody.returncode == 1, nobody)
        checks.that('and the reason', 'no `kvorum dev` runs' in nobody.stderr, nobody.stderr)
    with Dev(folder) as dev:
        checks.that('it starts as it was', dev.says('ports %d-%d' % (base + 1, base + 3)), dev.said)
        checks.that('three processes', len(children_of(dev.process.pid)) == 3)
        checks.that('with its data', answers(base + 3, 'k', b'v'))
        checks.that('SIGINT: status 0', dev.end(signal.SIGINT) == 0, dev.said)


def second_run(folder, base):
    with Dev(folder) as dev:
        checks.that('it starts again at the same ports', dev.says('ports %d-' % base), dev.said)
        with Resp(base + 1) as b:
            got = b('MGET', 'k', 'after')
            checks.that('the data is there, also at the node that died', got == [b'v', b'w'], got)
        children = children_of(dev.process.pid)
        checks.that('SIGTERM: status 0', dev.end(signal.SIGTERM) == 0, dev.said)
        checks.that(
            'no process is left', not any(os.path.exists('/proc/%d' % pid) for pid in children)
        )
        other = run(BINARY, 'dev', '--data', os.path.join(folder, 'dev'), '--nodes', '5')
        checks.that('another number of nodes is refused', other.returncode == 1, other.stderr)
        checks.that(
            'with the choices', '3 nodes' in other.stderr and '--data' in other.stderr, other.stderr
        )


def parent_killed(folder, base):
    with Dev(folder, '--engine', 'memory', '--nodes', '1', '--base-port', str(base)) as dev:
        checks.that('one memory node', dev.says('The cluster is settled'), dev.said)
        children = children_of(dev.process.pid)
        dev.end(signal.SIGKILL)
        ended = until(lambda: not any(os.path.exists('/proc/%d' % pid) for pid in children), 5)
        checks.that('children end with their parent', ended)


def main():
    base = free_base()
    for scenario, folder in (
        (first_run, 'x'),
        (second_run, 'x'),
        (grows, 'x'),
        (parent_killed, 'y'),
    ):
        path = os.path.join(TOP, folder)
        os.makedirs(path, exist_ok=True)
        checks.attempt(scenario.__name__.replace('_', ' '), scenario, path, base)
    return checks.summary()


if __name__ == '__main__':
    TOP = tempfile.mkdtemp(prefix='kvorum-dev-')
    try:
        sys.exit(main())
    finally:
        shutil.rmtree(TOP, ignore_errors=True)
