#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: judges how long clients waited
"""Five nodes under load are restarted one after the other, waiting for nothing but `readyz`: from
one release to the next, or with one binary. rolling_upgrade.py [path/to/kvorum [path/to/the one
before]]; ends with `N passed, N failed`. `./x upgrade` builds the one before."""
import os
import sys

from node_processes import Cluster, until
from rolling_restart import BINARY, Load, Step, checks, counters_add_up, healthy, stop

PREVIOUS = sys.argv[2] if len(sys.argv) > 2 else BINARY
KEYS = 2000


def fill(cluster):
    with cluster.resp('a') as client:
        for i in range(KEYS):
            client('SET', 'kept:%d' % i, 'value-%d' % i)
        client('SET', 'large', b'x' * (1 << 20))


def kept(cluster, name):
    """How many of the keys the node answers with something else."""
    with cluster.resp(name, 20) as client:
        wrong = sum(client('GET', 'kept:%d' % i) != b'value-%d' % i for i in range(KEYS))
        return wrong + (client('GET', 'large') != b'x' * (1 << 20))


def restart(cluster, load, name, binary):
    with Step(load, 'restart of %s' % name, [name]):
        stop(cluster, name)
        cluster.binary = os.path.abspath(binary)
        cluster.start(name)
        checks.that('%s is ready' % name, until(lambda: healthy(cluster, name, 'readyz'), 20))
        load.more(200, [name])


def replace_all(cluster, binary):
    for name in cluster.names:
        stop(cluster, name)
    cluster.binary = os.path.abspath(binary)
    cluster.start()
    checks.that('five nodes of the other are settled', cluster.wait_settled(seconds=40))


def all_five(old, new, founding):
    """From `old` to `new`, of a cluster that `founding` founded."""
    with Cluster(founding, 'abcde') as cluster:
        cluster.start()
        checks.that('five nodes are settled', cluster.wait_settled())
        if founding != old:
            replace_all(cluster, old)
        fill(cluster)
        load = Load(cluster)
        for at, name in enumerate('abcde'):
            restart(cluster, load, name, new)
            if at == 2:  # three of one, two of the other
                checks.that('all keys are there in between', kept(cluster, 'e') == 0)
        load.end()
        checks.that('five nodes are settled again', cluster.wait_settled(seconds=40))
        for name in 'abcde':
            checks.that('%s has what was written before' % name, kept(cluster, name) == 0)
            broken = cluster.log(name).count('upgrade the older')
            checks.that('%s lost no peer over its version' % name, old != new or broken == 0)
        counters_add_up(cluster, load)
        if old != new:
            told = sum('of the peer protocol is spoken with it' in cluster.log(n) for n in 'abcde')
            print('%d of 5 nodes spoke an older version for a while' % told)


def main():
    checks.attempt('five nodes, one after the other', all_five, PREVIOUS, BINARY, PREVIOUS)
    if PREVIOUS != BINARY:  # an upgrade that is given up
        checks.attempt('and back', all_five, BINARY, PREVIOUS, PREVIOUS)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
