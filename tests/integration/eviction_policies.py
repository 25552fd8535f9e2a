#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: both servers are loaded at a time, and memory is measured
"""The policies of eviction beside those of redis-server at the same limit: the ratio of hits of a
cache that is asked for keys as Zipf draws them, within one point of Redis; what a policy may not
take, and what a client is told then; OBJECT FREQ; a policy that changes while a node serves.
eviction_policies.py [path/to/kvorum] [--long] [policy ...]; the long form asks for more and prints
how the memory grew. Ends with `N passed, N failed`."""
import bisect
import itertools
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from node_processes import Checks, Cluster, Resp, RespError, free_ports, until

ARGUMENTS = [word for word in sys.argv[1:] if not word.startswith('--')]
BINARY = ARGUMENTS[0] if ARGUMENTS else 'build/release/kvorum'
LONG = '--long' in sys.argv
MB = 1 << 20
MEMORY_MB = 64 if LONG else 24
KEYS = 400_000 if LONG else 150_000
REQUESTS = 2_000_000 if LONG else 400_000
BATCH = 250
SKEW = 0.99
POLICIES = ARGUMENTS[1:] or ['allkeys-lru', 'allkeys-lfu', 'allkeys-random', 'volatile-lru',
                             'volatile-lfu', 'volatile-random', 'volatile-ttl']
POINTS = 1.0  # of a hundred, that the ratio may lie below Redis's
OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'."
checks = Checks()


class RedisServer:
    def __init__(self, policy):
        self.port = free_ports(1)[0]
        self.folder = tempfile.mkdtemp(prefix='redis-test-')
        self.process = subprocess.Popen(
            ['redis-server', '--port', str(self.port), '--save', '', '--dir', self.folder,
             '--maxmemory', '%dmb' % MEMORY_MB, '--maxmemory-policy', policy],
            stdout=subprocess.DEVNULL)
        assert until(self.answers, 10)

    def answers(self):
        try:
            with Resp(self.port, 1) as client:
                return client('PING') == b'PONG'
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Lone(Cluster):
    timing = 'hints: 200ms'


def cache(policy, memory_mb=MEMORY_MB):
    extra = (
        'reactors: 1\nengine: {type: memory, memory: %dmb, eviction: %s}\n'
        'keyspaces:\n  default: {n: 1, r: 1, w: 1, conflicts: lww}\n' % (memory_mb, policy))
    return Lone(BINARY, 'a', extra=extra)


def zipf_draws(seed, count):
    """Numbers of keys; the ranks are mixed, so that neighbours are not alike."""
    rng = random.Random(seed)
    weights = itertools.accumulate(1 / rank**SKEW for rank in range(1, KEYS + 1))
    sums = list(weights)
    names = list(range(KEYS))
    rng.shuffle(names)
    return [names[bisect.bisect(sums, rng.random() * sums[-1])] for _ in range(count)]


def value_of(number):
    return b'%d-' % number + b'v' * (100 + number * 7919 % 400)


def expiry():
    """An hour and a bit, as a cache that shall not lose all at a time says it."""
    return random.randrange(3600, 3960)


def hit_ratio(client, draws, expiring):
    """A client that looks, and sets what is not there; in percent of the second half."""
    hits = asked = refused = 0
    for start in range(0, len(draws), BATCH):
        batch = draws[start : start + BATCH]
        client.socket.sendall(b''.join(client.encode('GET', b'key:%d' % n) for n in batch))
        missed = {}
        for number in batch:
            reply = client.read()
            if start >= len(draws) // 2:
                asked += 1
                hits += reply is not None
            if reply is None:
                missed[number] = True
            elif not reply.startswith(b'%d-' % number):
                checks.that('the value of key %d' % number, False, reply)
        more = [('EX', expiry()) if expiring else () for _ in missed]
        client.socket.sendall(b''.join(
            client.encode('SET', b'key:%d' % n, value_of(n), *words)
            for n, words in zip(missed, more)))
        refused += sum(isinstance(client.read(), RespError) for _ in missed)
    return 100 * hits / asked, refused


def facts(client):
    lines = client('INFO', 'everything').decode().split('\r\n')
    return dict(line.split(':', 1) for line in lines if ':' in line)


def ratio_beside_redis(policy, draws):
    expiring = policy.startswith('volatile')
    with RedisServer(policy) as redis, Resp(redis.port, 30) as client:
        theirs, refused = hit_ratio(client, draws, expiring)
        assert not refused
    with cache(policy) as cluster:
        cluster.start().wait_settled()
        before = cluster.resident_bytes('a')
        with cluster.resp('a', 30) as client:
            began = time.monotonic()
            ours, refused = hit_ratio(client, draws, expiring)
            told = facts(client)
            config = client('CONFIG', 'GET', 'maxmemory', 'maxmemory-policy')
            seconds = time.monotonic() - began
        grown = cluster.resident_bytes('a') - before
    print('      %s: hits %.2f %%, of Redis %.2f %%; RSS +%.1f MB of %d; %.0f s'
          % (policy, ours, theirs, grown / MB, MEMORY_MB, seconds), flush=True)
    checks.that('%s: hits %.2f %%, of Redis %.2f %%' % (policy, ours, theirs),
                ours > theirs - POINTS, ours)
    checks.that('%s: every write found room' % policy, refused == 0, refused)
    checks.that('%s: evicted_keys' % policy, int(told['evicted_keys']) > 1000, told)
    checks.that('%s: INFO and CONFIG GET tell it' % policy,
                told['maxmemory_policy'] == policy and policy.encode() in config and
                b'%d' % (MEMORY_MB * MB) in config, (told['maxmemory_policy'], config))
    checks.that('%s: resident memory' % policy, grown < MEMORY_MB * MB * 115 // 100 + 16 * MB,
                grown)


def refusals():
    """Where nothing may go, writes that need room are refused in Redis's words; reads are not."""
    for policy in ('noeviction', 'volatile-lru', 'volatile-ttl'):
        with cache(policy, 4) as cluster:
            cluster.start().wait_settled()
            with cluster.resp('a', 10) as client:
                stored, reply = 0, b'OK'
                while reply == b'OK' and stored < 100_000:
                    reply = client('SET', 'key:%d' % stored, value_of(stored))
                    stored += 1
                checks.that('%s: %d SETs, then -OOM' % (policy, stored),
                            str(reply) == OUT_OF_MEMORY and stored > 1000, reply)
                checks.that('%s: reads go on' % policy, client('GET', 'key:1') == value_of(1))
                if policy != 'noeviction':
                    waits = facts(client)['eviction_waits']
                    checks.that('%s: the reason is told' % policy, 'time to live' in waits, waits)
                for number in range(0, stored, 2):
                    client('DEL', 'key:%d' % number)
                reply = client('SET', 'again', 'v')
                checks.that('%s: after deletes there is room' % policy, reply == b'OK', reply)


def frequency():
    with cache('allkeys-lfu') as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a', 10) as client:
            client('SET', 'seldom', 'v')
            client('SET', 'often', 'v')
            checks.that('OBJECT FREQ of a new key', client('OBJECT', 'FREQ', 'seldom') == 5,
                        client('OBJECT', 'FREQ', 'seldom'))
            client.socket.sendall(client.encode('GET', 'often') * 1000)
            for _ in range(1000):
                client.read()
            often = client('OBJECT', 'FREQ', 'often')
            checks.that('OBJECT FREQ after 1000 reads', 12 <= often <= 30, often)
            checks.that('OBJECT FREQ of no key', client('OBJECT', 'FREQ', 'none') is None)
    with cache('allkeys-lru') as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a', 10) as client:
            client('SET', 'k', 'v')
            refused = client('OBJECT', 'FREQ', 'k')
            checks.that('OBJECT FREQ by another policy', 'LFU' in str(refused), refused)


def changes_while_it_serves():
    with cache('volatile-lru', 4) as cluster:
        cluster.start().wait_settled()

        def reload(words):
            with open(cluster.config, encoding='utf-8') as file:
                text = file.read()
            at = text.index('engine: {')
            end = text.index('}', at)
            text = text[:at] + 'engine: {type: memory, ' + words + text[end:]
            with open(cluster.config, 'w', encoding='utf-8') as file:
                file.write(text)
            cluster.processes['a'].send_signal(signal.SIGHUP)

        with cluster.resp('a', 10) as client:
            reload('memory: 8mb, eviction: allkeys-lru')
            done = until(lambda: client('CONFIG', 'GET', 'maxmemory', 'maxmemory-policy') == [
                b'maxmemory', b'%d' % (8 * MB), b'maxmemory-policy', b'allkeys-lru'], 10)
            checks.that('the new policy and limit hold', done)
            refused = 0
            for number in range(30_000):
                refused += client('SET', 'key:%d' % number, value_of(number)) != b'OK'
            checks.that('keys without a time to live are evicted now', refused == 0, refused)
            keys = client('DBSIZE')
            checks.that('up to the new limit', 15_000 < keys < 28_000, keys)
            reload('memory: 8mb, eviction: noeviction')
            until(lambda: b'noeviction' in client('CONFIG', 'GET', 'maxmemory-policy'), 10)
            refused = 0
            for number in range(30_000, 40_000):
                refused += client('SET', 'key:%d' % number, value_of(number)) != b'OK'
            checks.that('with noeviction writes are refused', refused > 1000, refused)
            reload('memory: 8mb, eviction: allkeys-lfu')
            until(lambda: b'allkeys-lfu' in client('CONFIG', 'GET', 'maxmemory-policy'), 10)
            begins = until(lambda: client('SET', 'key:40000', value_of(40_000)) == b'OK', 10)
            checks.that('and eviction begins again', begins, client('INFO', 'memory'))


def main():
    draws = zipf_draws(7, REQUESTS)
    for policy in POLICIES:
        checks.attempt(policy, ratio_beside_redis, policy, draws)
    checks.attempt('refusals', refusals)
    checks.attempt('frequency', frequency)
    checks.attempt('changes', changes_while_it_serves)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
