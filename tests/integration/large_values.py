#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: measures CPU and how long clients waited
"""Values of many megabytes: what receiving them costs, three nodes that keep them and answer other
clients meanwhile, and the errors of those that cannot be taken. large_values.py [path/to/kvorum]
[--long]; the long form has values up to 300 MB and prints what it measured. Ends with
`N passed, N failed`."""
import hashlib
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time

from node_processes import Checks, Cluster, Resp, RespError, until

ARGUMENTS = [word for word in sys.argv[1:] if not word.startswith('--')]
BINARY = ARGUMENTS[0] if ARGUMENTS else 'build/release/kvorum'
LONG = '--long' in sys.argv
MB = 1 << 20
# The machine is shared: a node beyond this is ended, and its test has failed.
RESIDENT_BYTES_MAX = 5 << 30
checks = Checks()


def told(text):
    print('      ' + text, flush=True)


def cpu_seconds(cluster, name):
    """Of the process itself: what fresh memory costs the kernel depends on others, too."""
    with open('/proc/%d/stat' % cluster.processes[name].pid, encoding='ascii') as file:
        fields = file.read().rsplit(')', 1)[1].split()
    return int(fields[11]) / os.sysconf('SC_CLK_TCK')


def value_of(megabytes, seed=0):
    """Random bytes that repeat only after a megabyte and begin with a number of their own."""
    block = hashlib.sha256(b'%d' % seed).digest() * (MB // 32)
    return (b'%020d' % (seed * 1000 + megabytes)) + block * megabytes


def peak_bytes(cluster, name):
    with open('/proc/%d/status' % cluster.processes[name].pid, encoding='ascii') as file:
        for line in file:
            if line.startswith('VmHWM'):
                return int(line.split()[1]) * 1024
    return 0


class Watch(threading.Thread):
    """Ends a node that grows beyond what this machine can bear."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster, self.ended, self.over = cluster, threading.Event(), []
        self.start()

    def run(self):
        while not self.ended.wait(0.05):
            for name, process in self.cluster.processes.items():
                try:
                    if self.cluster.resident_bytes(name) < RESIDENT_BYTES_MAX:
                        continue
                except (OSError, IndexError):
                    continue
                self.over.append(name)
                process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.join()
        checks.that('no node took more than 5 GB', not self.over, self.over)


def small_client(port):
    """Sets and gets small keys, one after the other, until its input ends; tells how long each
    took. A process of its own: nothing else that Python does here holds it up."""
    seconds, errors = [], []
    ending = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ending.set()), daemon=True).start()
    with Resp(port, 60) as client:
        number = 0
        while not ending.is_set():
            key = 'small:%d:%d' % (os.getpid(), number % 500)
            for words in (('SET', key, number), ('GET', key)):
                began = time.monotonic()
                reply = client(*words)
                seconds.append(time.monotonic() - began)
                if isinstance(reply, RespError) or reply is None:
                    errors.append(str(reply))
            number += 1
            time.sleep(0.001)
    print(json.dumps([seconds, errors[:5]]))


def run_small(cluster, action):
    """The latencies of six small clients while `action` runs: (p50, p99, most), and errors."""
    command = [sys.executable, os.path.abspath(__file__), '--small']
    clients = [
        subprocess.Popen(
            command + [str(cluster.port(name))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for name in cluster.names
        for _ in range(2)
    ]
    try:
        action()
    finally:
        told_all = [json.loads(client.communicate(timeout=60)[0]) for client in clients]
    seconds = sorted(one for seconds, _ in told_all for one in seconds)
    errors = [one for _, errors in told_all for one in errors]
    places = [min(len(seconds) - 1, int(len(seconds) * part)) for part in (0.5, 0.99, 1.0)]
    return tuple(seconds[place] * 1000 for place in places), errors


def receiving_costs_what_it_copies():
    """Receiving is linear: the seconds of CPU for four times the bytes are about four times."""
    with Cluster(BINARY, 'a', 'engine: {type: memory, memory: 4gb}') as cluster:
        cluster.start().wait_settled()
        with Watch(cluster):
            costs = {}
            with cluster.resp('a', 60) as client:
                client('SET', 'warm', value_of(60))
                for megabytes in (60, 240):
                    value = value_of(megabytes)
                    tries = []
                    for _ in range(3):
                        before = cpu_seconds(cluster, 'a')
                        reply = client('SET', 'k%d' % megabytes, value)
                        tries.append(cpu_seconds(cluster, 'a') - before)
                        checks.that('SET of %d MB' % megabytes, reply == b'OK', reply)
                        client('DEL', 'k%d' % megabytes)
                    costs[megabytes] = sorted(tries)[1]
            told('CPU for 60 MB %.2f s, for 240 MB %.2f s' % (costs[60], costs[240]))
            allowed = 6 * costs[60] + 0.1
            checks.that('240 MB cost as 4 x 60 MB', costs[240] < allowed, costs)


def set_and_read(cluster, sizes, seconds):
    """Values through one node after the other, read through the next: how many were taken."""
    good, slowest = 0, 0.0
    for at, megabytes in enumerate(sizes):
        name = cluster.names[at % 3]
        value = value_of(megabytes, at)
        began = time.monotonic()
        with cluster.resp(name, seconds) as client:
            reply = client('SET', 'large:%d' % at, value)
        slowest = max(slowest, time.monotonic() - began)
        good += reply == b'OK'
        if reply != b'OK':
            told('%d MB through %s: %s' % (megabytes, name, reply))
            continue
        other = cluster.names[(at + 1) % 3]
        with cluster.resp(other, seconds) as client:
            same = client('GET', 'large:%d' % at) == value
        checks.that('%d MB through %s read at %s' % (megabytes, name, other), same)
    return good, slowest


def large_beside_small(engine, sizes):
    extra = 'engine: {type: %s, memory: 3gb}' % engine
    with Cluster(BINARY, 'abc', extra) as cluster:
        cluster.start()
        checks.that('three nodes settle', cluster.wait_settled())
        with Watch(cluster):
            alone, errors = run_small(cluster, lambda: time.sleep(2))
            checks.that('small ones alone', not errors, errors[:3])
            taken = []
            beside, errors = run_small(
                cluster, lambda: taken.append(set_and_read(cluster, sizes, 60))
            )
            good, slowest = taken[0]
            told('%s: %d of %d taken, slowest %.2f s' % (engine, good, len(sizes), slowest))
            told('small alone  p50 %.1f p99 %.1f most %.1f ms' % alone)
            told('small beside p50 %.1f p99 %.1f most %.1f ms' % beside)
            checks.that('all large values are taken', good == len(sizes), good)
            checks.that('no error of a small one', not errors, errors[:3])
            checks.that('small ones go between the chunks', beside[1] < 250, beside)
            peaks = [peak_bytes(cluster, name) / MB for name in cluster.names]
            with cluster.resp('a', 60) as client:
                for at in range(len(sizes)):
                    client('DEL', 'large:%d' % at)

            def rest():
                return [cluster.resident_bytes(name) / MB for name in cluster.names]

            until(lambda: max(rest()) < 300, 5)
            whole = [[int(each) for each in figures] for figures in (peaks, rest())]
            told('peak RSS %s MB, after %s MB' % tuple(whole))


def hints_do_not_wait(megabytes, keys):
    with Cluster(BINARY, 'abc', 'engine: {type: memory, memory: 3gb}') as cluster:
        cluster.start()
        checks.that('three nodes settle', cluster.wait_settled())
        with Watch(cluster):
            cluster.end('c', 9)
            value = value_of(megabytes)
            with cluster.resp('a', 60) as client:
                until(lambda: client('SET', 'first', 'x') == b'OK', 10)
                reply = client('SET', 'large', value)
                checks.that('a large one while a node is down', reply == b'OK', reply)
                for number in range(keys):
                    client('SET', 'hint:%d' % number, number)
            began = time.monotonic()
            cluster.start('c')

            def local(key):
                try:
                    with cluster.resp('c', 30) as client:
                        return client('KV.LOCAL', key)
                except (OSError, RespError):
                    return None

            def has(key, wanted):
                return lambda: wanted in repr(local(key)).encode()

            last = keys - 1
            arrived = until(has('hint:%d' % last, b'%d' % last), 60)
            seconds = time.monotonic() - began
            told('the last of %d small hints was there after %.1f s' % (keys, seconds))
            checks.that('small hints do not wait behind a large one', arrived, seconds)
            checks.that('the large one arrives', until(lambda: large_is_there(cluster, value), 60))
            told('the large one after %.1f s' % (time.monotonic() - began))


def large_is_there(cluster, value):
    try:
        with cluster.resp('c', 60) as client:
            return client('GET', 'large') == value
    except (OSError, RespError):
        return False


def three_nodes_keep(megabytes, engine):
    """Written through one node, the same at each."""
    with Cluster(BINARY, 'abc', 'engine: {type: %s, memory: 3gb}' % engine) as cluster:
        cluster.start()
        checks.that('three nodes settle', cluster.wait_settled())
        with Watch(cluster):
            value = value_of(megabytes)
            for name in cluster.names:
                began = time.monotonic()
                with cluster.resp(name, 120) as client:
                    reply = client('SET', 'large', value)
                shown = '%d MB through %s, %s' % (megabytes, name, engine)
                told('%s: %.2f s' % (shown, time.monotonic() - began))
                checks.that(shown, reply == b'OK', reply)
            for name in cluster.names:
                with cluster.resp(name, 120) as client:
                    same = client('GET', 'large') == value
                checks.that('%d MB read at %s, %s' % (megabytes, name, engine), same)
            peaks = [peak_bytes(cluster, name) // MB for name in cluster.names]
            after = [cluster.resident_bytes(name) // MB for name in cluster.names]
            told('peak RSS %s MB, after %s MB' % (peaks, after))


def too_large_is_told_at_once():
    extra = 'limits: {value: 1mb}\nengine: {type: memory, memory: 64mb}'
    with Cluster(BINARY, 'a', extra) as cluster:
        cluster.start()
        checks.that('limits.value is a limit', cluster.wait_settled(), cluster.log('a'))
        with cluster.resp('a') as client:
            client.socket.sendall(b'*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048577\r\n')
            said = str(client.read())
            wanted = 'ERR Protocol error: invalid bulk length'
            checks.that('RESP: beyond limits.value', said == wanted, said)
        with cluster.resp('a') as client:
            checks.that('as much as the limit', client('SET', 'k', b'v' * MB) == b'OK')
            wanted = 'ERR string exceeds maximum allowed size (proto-max-bulk-len)'
            for words in (('APPEND', 'k', 'x'), ('SETRANGE', 'k', MB, 'x')):
                said = str(client(*words))
                checks.that('%s beyond limits.value' % words[0], said == wanted, said)
        with socket.create_connection(('127.0.0.1', cluster.port('a', 'memcached')), 5) as sender:
            sender.sendall(b'set m 0 0 1048577\r\n' + b'v' * (MB + 1) + b'\r\nversion\r\n')
            lines = sender.makefile('rb')
            said = lines.readline()
            wanted = b'SERVER_ERROR object too large for cache\r\n'
            checks.that('memcached: beyond limits.value', said == wanted, said)
            checks.that('and the value is swallowed', lines.readline().startswith(b'VERSION'))
    with Cluster(BINARY, 'a', 'engine: {type: memory, memory: 16mb}') as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a', 20) as client:
            said = str(client('SET', 'k', value_of(32)))
            checks.that('what does not fit into engine.memory', said.startswith('OOM'), said)
            checks.that('and no part of it', client('GET', 'k') is None)
            checks.that('others fit', client('SET', 'k', 'v') == b'OK')


def small_ones_do_not_pass(names, engine):
    """Of one pipeline the last write of a key is the last."""
    with Cluster(BINARY, names, 'engine: {type: %s}' % engine) as cluster:
        cluster.start().wait_settled()
        large = value_of(1)
        passed = []
        with cluster.resp('a', 20) as client:
            for i in range(60):
                key = 'order%d' % i
                parts = [client.encode('SET', key, large), client.encode('SET', key, 'small')]
                client.socket.sendall(b''.join(parts))
                said = [client.read() for _ in parts]
                got = client('GET', key)
                if said != [b'OK', b'OK'] or got != b'small':
                    passed.append((said, len(got or b'')))
        checks.that('%d nodes, %s: none passed' % (len(names), engine), not passed, passed[:3])


def main():
    if '--small' in sys.argv:
        return small_client(int(ARGUMENTS[0]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    checks.attempt('receiving', receiving_costs_what_it_copies)
    checks.attempt('limits', too_large_is_told_at_once)
    for engine in ('memory', 'leveldb'):
        for names in ('a', 'abc'):
            checks.attempt('order', small_ones_do_not_pass, names, engine)
    sizes = [20, 50, 100, 20, 50, 100] * 3 if LONG else [20, 50]
    for engine in ('memory', 'leveldb'):
        checks.attempt('beside small ones, %s' % engine, large_beside_small, engine, sizes)
        if LONG:
            checks.attempt('300 MB, %s' % engine, three_nodes_keep, 300, engine)
    checks.attempt('hints', hints_do_not_wait, 200 if LONG else 50, 2000)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
