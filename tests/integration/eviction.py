#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real processes as a cache tier, filled to several times their memory: a lone node, and three with
two copies. eviction.py [path/to/kvorum]."""
import signal
import socket
import sys

from node_processes import Checks, Cluster, RespError, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
MEMORY = 32 << 20
VALUE = 'v' * 400
BYTES_EACH = 480  # of an object in memory, at least
FILLING = 3 * MEMORY // BYTES_EACH
BATCH = 500
CACHE = (
    'engine: {type: memory, memory: 32mb, eviction: lru}\n'
    'keyspaces:\n  default: {n: %d, r: 1, w: 1, conflicts: lww}\n'
)
checks = Checks()


class Lone(Cluster):
    timing = 'hints: 200ms'


class Tier(Cluster):
    timing = 'gossip: 100ms, hints: 200ms, anti_entropy: 500ms'


def info(cluster, name):
    with cluster.resp(name, 10) as client:
        lines = client('INFO').decode().splitlines()
    return dict(line.split(':', 1) for line in lines if ':' in line)


def fill(client, first, count, retries=200):
    """SETs in batches; what found no memory is tried again. How many never found any."""
    refused = 0
    for start in range(first, first + count, BATCH):
        left = list(range(start, min(start + BATCH, first + count)))
        for _ in range(retries):
            client.socket.sendall(
                b''.join(client.encode('SET', 'k%d' % i, '%d-%s' % (i, VALUE)) for i in left)
            )
            replies = [client.read() for _ in left]
            left = [i for i, reply in zip(left, replies) if isinstance(reply, RespError)]
            if not left:
                break
            until(lambda: False, 0.1)
        refused += len(left)
    return refused


def held(client, numbers):
    """Of these keys, how many are there; wrong values are told."""
    found = 0
    for i in numbers:
        value = client('GET', 'k%d' % i)
        if value is None:
            continue
        found += 1
        if value != ('%d-%s' % (i, VALUE)).encode():
            checks.that('the value of k%d' % i, False, value)
    return found


def a_lone_node():
    with Lone(BINARY, 'a', extra=CACHE % 1) as cluster:
        cluster.start().wait_settled()
        before = int(info(cluster, 'a')['used_memory_rss'])
        with cluster.resp('a', 30) as client:
            hot = range(100)
            fill(client, 0, len(hot))
            refused = 0
            for start in range(len(hot), FILLING, FILLING // 60):
                refused += fill(client, start, FILLING // 60)
                for i in hot:  # as the clients of a cache do
                    if client('GET', 'k%d' % i) is None:
                        fill(client, i, 1)
            checks.that('every write finds room', refused == 0, refused)
            late = held(client, range(FILLING - 2000, FILLING, 10))
            checks.that('what was written lately is there', late == 200, late)
            checks.that('so is what is read', held(client, hot) == 100, held(client, hot))
            old = held(client, range(1000, 2000))
            checks.that('what is old is gone', old == 0, old)
            keys = client('DBSIZE')
        now = info(cluster, 'a')
        checks.that('memory is full of keys', keys > MEMORY // 2 // BYTES_EACH, keys)
        checks.that('policy', now['maxmemory_policy'] == 'allkeys-lru', now)
        checks.that('evicted_keys', int(now['evicted_keys']) > FILLING // 2, now['evicted_keys'])
        grown = int(now['used_memory_rss']) - before
        checks.that('resident memory stays near the limit', grown < MEMORY * 3 // 2, grown)
        with socket.create_connection(('127.0.0.1', cluster.port('a', 'memcached')), 10) as client:
            client.sendall(b'stats\r\n')
            text = b''
            while not text.endswith(b'END\r\n'):
                text += client.recv(65536)
        checks.that('memcached tells evictions', b'STAT evictions 0\r' not in text)


def a_tier(cluster):
    with cluster.resp('a', 60) as client:
        refused = fill(client, 0, FILLING * 3 // 2)
        checks.that('every write finds room in time', refused == 0, refused)
        last = FILLING * 3 // 2
        late = held(client, range(last - 1000, last, 10))
        checks.that('what was written lately is there', late > 90, late)
    evicted = [int(info(cluster, name)['evicted_keys']) for name in 'abc']
    checks.that('all evict', min(evicted) > 0, evicted)

    def equal():
        roots = []
        for name in 'abc':
            with cluster.resp(name, 10) as client:
                roots.append({(row[0], row[1]): row[2] for row in client('KV.DIGEST')})
        return all(
            one.get(place, digest) == digest
            for one in roots for other in roots for place, digest in other.items()
        )

    checks.that('copies come to agree', until(equal, 60))


def overwritten_values_stay_away(cluster):
    """Each key is written anew, then pushed out: nobody may see its first value any more."""
    names = ['twice%d' % i for i in range(300)]
    with cluster.resp('b', 60) as client:
        for name in names:
            client('SET', name, 'first')
        for name in names:
            client('SET', name, 'second')
        fill(client, 10_000_000, FILLING * 3 // 2)
    seen = []
    for node in 'abc':
        with cluster.resp(node, 10) as client:
            seen += [client('GET', name) for name in names]
    checks.that('no old value shows', set(seen) <= {None, b'second'}, set(seen))


def a_member_is_down(cluster):
    """Only what is older than its absence may go: then writes are refused, and it is said why."""
    cluster.end('c', signal.SIGKILL)
    with cluster.resp('a', 60) as client:
        refused = fill(client, 20_000_000, FILLING, retries=1)
    checks.that('writes find no room in the end', refused > 0, refused)
    told = until(lambda: 'c' in info(cluster, 'a')['eviction_waits'], 30)
    checks.that('and the reason is told', told, info(cluster, 'a')['eviction_waits'])
    cluster.start('c').wait_settled()
    with cluster.resp('a', 60) as client:
        refused = fill(client, 30_000_000, 5000)
    checks.that('they do again after its return', refused == 0, refused)
    for name in 'abc':
        with cluster.resp(name, 10) as client:
            checks.that('%s lives' % name, client('PING') == b'PONG')


def main():
    checks.attempt('a lone node', a_lone_node)
    with Tier(BINARY, 'abc', extra=CACHE % 2) as cluster:
        cluster.start().wait_settled()
        for scenario in (a_tier, overwritten_values_stay_away, a_member_is_down):
            checks.attempt(scenario.__name__.replace('_', ' '), scenario, cluster)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
