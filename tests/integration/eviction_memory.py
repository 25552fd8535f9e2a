#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: memory and how long others wait are measured
"""A cache that evicts while the sizes of its values change: resident memory stays within the limit,
what may be in flight, and 15 %; one value of 100 MB among many small ones holds nobody up.
eviction_memory.py [path/to/kvorum]; ends with `N passed, N failed`."""
import sys
import threading
import time

from node_processes import Checks, Cluster, RespError, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
MB = 1 << 20
MEMORY = 64 * MB
IN_FLIGHT = 64 * MB
BATCH_BYTES = 256 * 1024
# Each is written until it has pushed out what was there, and a half more.
SIZES = (100, 220, 1000, 300, 5000, 150, 20_000, 100_000, 400_000, 2500)
checks = Checks()


class Lone(Cluster):
    timing = 'hints: 200ms'


def cache(policy, memory=MEMORY, in_flight=IN_FLIGHT):
    extra = (
        'reactors: 2\nengine: {type: memory, memory: %d, eviction: %s}\n'
        'limits: {in_flight: %d}\n'
        'keyspaces:\n  default: {n: 1, r: 1, w: 1, conflicts: lww}\n' % (memory, policy, in_flight))
    return Lone(BINARY, 'a', extra=extra, cluster='name: test\n  partitions: 256')


class Watch(threading.Thread):
    """The highest resident size while it runs."""

    def __init__(self, cluster):
        super().__init__()
        self.cluster, self.ending = cluster, threading.Event()
        self.quiet = self.highest = cluster.resident_bytes('a')
        self.start()

    def run(self):
        while not self.ending.wait(0.02):
            self.highest = max(self.highest, self.cluster.resident_bytes('a'))

    def growth(self):
        """Since the last time."""
        grown, self.highest = self.highest - self.quiet, 0
        return grown

    def finish(self):
        self.ending.set()
        self.join()


def fill(client, prefix, size, total):
    """Values of this size until so many bytes were sent; how many were refused."""
    value, refused, number = b'v' * size, 0, 0
    at_a_time = max(1, BATCH_BYTES // (size + 60))
    while number * (size + 80) < total:
        names = [b'%s:%d:%d' % (prefix, size, number + at) for at in range(at_a_time)]
        client.socket.sendall(b''.join(client.encode('SET', name, value, 'EX', 9999)
                                       for name in names))
        refused += sum(isinstance(client.read(), RespError) for _ in names)
        number += at_a_time
    return refused


def sizes_that_change(policy):
    with cache(policy) as cluster:
        cluster.start().wait_settled()
        watch = Watch(cluster)
        bound = MEMORY * 115 // 100 + IN_FLIGHT
        worst = []
        with cluster.resp('a', 60) as client:
            for turn, size in enumerate(SIZES):
                refused = fill(client, b'turn%d' % turn, size, MEMORY * 3 // 2)
                worst.append((watch.growth() // MB, size, refused, client('DBSIZE')))
            # All sizes at a time, each key now of one and now of another.
            for turn in range(6 * MEMORY // (4 * MB)):
                for at, size in enumerate(SIZES):
                    name = b'mixed:%d' % ((turn * 13 + at * 7) % 500)
                    fill(client, name, SIZES[(at + turn) % len(SIZES)], 4 * MB // len(SIZES))
            worst.append((watch.growth() // MB, 'mixed', 0, client('DBSIZE')))
            largest = max(row[0] for row in worst) * MB
            print('      %s: RSS +%d MB at most: %s' % (policy, largest // MB, worst), flush=True)
            checks.that('%s: memory stays within %d MB' % (policy, bound // MB), largest <= bound,
                        worst)
            refused = sum(row[2] for row in worst)
            checks.that('%s: few writes find no room' % policy, refused < 1000, worst)
            used = client('DBSIZE')
            checks.that('%s: it is used' % policy, used > 100, used)
        watch.finish()


def one_large_value_among_small_ones():
    memory = 256 * MB
    with cache('allkeys-lru', memory, 256 * MB) as cluster:
        cluster.start().wait_settled()
        watch = Watch(cluster)
        with cluster.resp('a', 60) as client, cluster.resp('a', 60) as other:
            fill(client, b'small', 100, memory * 3 // 2)
            full = watch.growth()
            waits, errors, ending = [], [], threading.Event()

            def small_ones():
                number = 0
                while not ending.is_set():
                    began = time.monotonic()
                    reply = other('SET', 'other:%d' % number, 'v')
                    waits.append(time.monotonic() - began)
                    if reply != b'OK':
                        errors.append(str(reply))
                    number += 1
                    time.sleep(0.001)

            thread = threading.Thread(target=small_ones)
            thread.start()
            until(lambda: len(waits) > 500, 10)
            alone = sorted(waits)[len(waits) * 99 // 100]
            del waits[:]
            large = b'V' * (100 * MB)
            taken = 0
            for at in range(4):
                taken += client('SET', 'large:%d' % at, large) == b'OK'
            until(lambda: len(waits) > 500, 10)
            ending.set()
            thread.join()
            beside, most = sorted(waits)[len(waits) * 99 // 100], max(waits)
            grown = watch.growth()
            print('      full +%d MB, beside 4 x 100 MB +%d MB; p99 %.2f ms alone, %.2f beside, '
                  'most %.1f; %d errors' % (full // MB, grown // MB, alone * 1e3, beside * 1e3,
                                            most * 1e3, len(errors)), flush=True)
            checks.that('4 values of 100 MB are taken', taken == 4, taken)
            checks.that('others find room', not errors, (len(errors), errors[:1]))
            checks.that('nobody is held up', beside < 0.1 and most < 1, (beside, most))
            checks.that('memory does not double', grown <= memory * 115 // 100 + 256 * MB, grown)
            last = client('GET', 'large:3')
            checks.that('it is read whole', last == large, last is None)
        watch.finish()


def main():
    for policy in ('allkeys-lru', 'allkeys-lfu'):
        checks.attempt('sizes that change: ' + policy, sizes_that_change, policy)
    checks.attempt('one large value', one_large_value_among_small_ones)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
