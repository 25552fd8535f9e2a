#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Deletes between real processes: their tombstones go once every node has them, and neither a node
that slept nor an old copy of a directory brings a value back. reaping.py [path/to/kvorum]."""
import json
import os
import shutil
import signal
import sys

from node_processes import Checks, Cluster, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
KEYS = 500
checks = Checks()


class Quick(Cluster):
    timing = 'gossip: 100ms, hints: 200ms, anti_entropy: 500ms'


def status(cluster, name):
    with cluster.resp(name, 10) as client:
        lines = client('KV.CLUSTER', 'STATUS').decode().splitlines()
    return dict(line.split(':', 1) for line in lines if ':' in line)


def tombstones(cluster, names='abc'):
    return [int(status(cluster, name)['tombstones']) for name in names]


def all_reaped(cluster):
    return until(lambda: tombstones(cluster) == [0, 0, 0], 60)


def each_key(cluster, name, *command):
    with cluster.resp(name, 10) as client:
        return [client(command[0], 'k%d' % i, *command[1:]) for i in range(KEYS)]


def values_anywhere(cluster):
    found = []
    for name in 'abc':
        with cluster.resp(name, 10) as client:
            for i in range(0, KEYS, 7):
                found += client('KV.LOCAL', 'k%d' % i)[1]
                found += [value for value in [client('GET', 'k%d' % i)] if value is not None]
    return found


def quiet_cluster(cluster):
    each_key(cluster, 'a', 'SET', 'v')
    each_key(cluster, 'b', 'DEL')
    checks.that('tombstones of a quiet cluster go', all_reaped(cluster), tombstones(cluster))
    checks.that('and nothing with them comes back', values_anywhere(cluster) == [])


def a_node_that_slept(cluster):
    each_key(cluster, 'a', 'SET', 'v')
    cluster.end('c', signal.SIGKILL)
    each_key(cluster, 'b', 'DEL')
    checks.that(
        'tombstones stay while a node is away', tombstones(cluster, 'ab') == [KEYS, KEYS]
    )
    waits = until(lambda: 'c' in status(cluster, 'a')['frontier_waits'], 20)
    checks.that('and the reason is told', waits, status(cluster, 'a')['frontier_waits'])
    cluster.start('c').wait_settled()
    checks.that('they go after its return', all_reaped(cluster), tombstones(cluster))
    checks.that('the values do not come back', values_anywhere(cluster) == [])


def an_old_copy(cluster):
    each_key(cluster, 'a', 'SET', 'secret')
    cluster.end('c')
    folder = os.path.join(cluster.folder, 'c')
    shutil.copytree(folder, folder + '.old')
    cluster.start('c').wait_settled()
    each_key(cluster, 'a', 'DEL')
    checks.that('deleted and forgotten', all_reaped(cluster), tombstones(cluster))
    cluster.end('c')
    shutil.rmtree(folder)
    os.rename(folder + '.old', folder)
    cluster.start('c').wait_settled()
    path = os.path.join(folder, 'quarantine.jsonl')
    checks.that('what the old copy held is dead', until(lambda: values_anywhere(cluster) == [], 30))

    def put_aside():
        if not os.path.exists(path):
            return 0
        with open(path, encoding='ascii') as lines:
            return len({json.loads(line)['key'] for line in lines})

    checks.that('and put aside', until(lambda: put_aside() == KEYS, 30), put_aside())
    checks.that('nothing is left of it', all_reaped(cluster), tombstones(cluster))


def main():
    with Quick(BINARY, 'abc') as cluster:
        cluster.start().wait_settled()
        for scenario in (quiet_cluster, a_node_that_slept, an_old_copy):
            checks.attempt(scenario.__name__.replace('_', ' '), scenario, cluster)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
