#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Anti-entropy between real processes: a node whose hints were lost, whose directory was wiped, or
that keeps nothing on disk gets everything back. repair.py [path/to/kvorum]."""
import json
import os
import shutil
import signal
import sys
import time
import urllib.error
import urllib.request

from node_processes import Checks, Cluster, run, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
checks = Checks()


class Quick(Cluster):
    timing = 'hints: 200ms, anti_entropy: 2s'


class Rare(Cluster):
    # So rarely that only what a person asks for can have done it.
    timing = 'hints: 200ms, anti_entropy: 1h'


def write(cluster, name, prefix, count, value='v'):
    with cluster.resp(name, 10) as client:
        for begin in range(0, count, 500):
            keys = range(begin, min(begin + 500, count))
            for i in keys:
                client.socket.sendall(client.encode('SET', '%s%d' % (prefix, i), value))
            for _ in keys:
                reply = client.read()
                if reply != b'OK':
                    raise RuntimeError('a write failed: %r' % reply)


def roots(cluster, name):
    with cluster.resp(name, 10) as client:
        return sorted(tuple(row) for row in client('KV.DIGEST'))


def equal_roots(cluster, names='abc'):
    first = roots(cluster, names[0])
    return first != [] and all(roots(cluster, name) == first for name in names[1:])


def metric(cluster, name, wanted):
    url = 'http://127.0.0.1:%d/metrics' % cluster.port(name, 'admin')
    with urllib.request.urlopen(url, timeout=5) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(wanted + ' '):
                return float(line.split()[1])
    return None


def is_whole(cluster, name):
    return metric(cluster, name, 'kvorum_copies_not_whole') == 0


def whole_soon_after_the_start():
    with Quick(BINARY, 'abc') as cluster:
        began = time.monotonic()
        cluster.start().wait_settled()
        whole = until(lambda: all(is_whole(cluster, name) for name in 'abc'), 5)
        checks.that('a fresh cluster is whole', whole, time.monotonic() - began)


def directory_wiped():
    with Quick(BINARY, 'abc') as cluster:
        cluster.start().wait_settled()
        write(cluster, 'a', 'before', 3000)
        cluster.end('b')
        write(cluster, 'a', 'while', 1000)
        for name in 'ac':  # what they kept for b goes with them
            cluster.end(name, signal.SIGKILL)
            cluster.start(name)
        shutil.rmtree(os.path.join(cluster.folder, 'b'))
        cluster.start('b').wait_settled()
        began = time.monotonic()
        checks.that('a wiped node gets all back', until(lambda: equal_roots(cluster), 20))
        checks.that('within seconds', time.monotonic() - began < 10, time.monotonic() - began)
        checks.that('and is whole', until(lambda: is_whole(cluster, 'b'), 5))
        with cluster.resp('b', 10) as client:
            client('KV.QUORUM', 'R', 1)
            values = [client('KV.LOCAL', 'while%d' % i) for i in range(0, 1000, 50)]
            checks.that('its own copies', all(value[1] == [b'v'] for value in values), values[:2])


def memory_nodes_restarted_in_turn():
    with Quick(BINARY, 'abc', 'engine: {type: memory}') as cluster:
        cluster.start().wait_settled()
        write(cluster, 'a', 'm', 2000)
        for name in 'abc':
            cluster.end(name, signal.SIGKILL)
            cluster.start(name)
            cluster.wait_settled()
            checks.that('%s is whole again' % name, until(lambda: is_whole(cluster, name), 15))
        checks.that('roots are equal', until(lambda: equal_roots(cluster), 10))
        with cluster.resp('b', 10) as client:
            missing = [i for i in range(2000) if client('GET', 'm%d' % i) != b'v']
            checks.that('nothing is lost', not missing, missing[:5])


def asked_for():
    with Rare(BINARY, 'abc') as cluster:
        cluster.start().wait_settled()
        write(cluster, 'a', 'k', 2000)
        cluster.end('c')
        write(cluster, 'a', 'more', 500)
        for name in 'ab':
            cluster.end(name, signal.SIGKILL)
            cluster.start(name)
        cluster.start('c').wait_settled()
        admin = '127.0.0.1:%d' % cluster.port('c', 'admin')
        done = run(BINARY, 'repair', '--admin', admin)
        checks.that('kvorum repair ends', done.returncode == 0, done.stdout + done.stderr)
        last = (done.stdout.splitlines() or [''])[-1]
        checks.that('and says how far it came', last.startswith('100 %'), last)
        checks.that('roots are equal', until(lambda: equal_roots(cluster), 5))
        url = 'http://%s/api/v1/repair?keyspace=16' % admin
        try:
            request = urllib.request.Request(
                url, method='POST', headers={'Content-Type': 'application/json'}
            )
            with urllib.request.urlopen(request, timeout=5) as got:
                checks.that('a keyspace that does not exist is refused', False, got.status)
        except urllib.error.HTTPError as error:
            said = json.loads(error.read())
            checks.that('a keyspace that does not exist is refused', error.code == 400, said)


def main():
    for scenario in (
        whole_soon_after_the_start,
        directory_wiped,
        memory_nodes_restarted_in_turn,
        asked_for,
    ):
        checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
