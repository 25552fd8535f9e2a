#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: measures memory and how long others wait
"""Very many clients: 10 000 that say nothing, 1 000 that are busy, some that read slowly, and 500
that announce 500 MB each. Memory stays bounded, and one more client is served as before.
many_clients.py [path/to/kvorum]; ends with `N passed, N failed`."""
import json
import os
import resource
import select
import socket
import subprocess
import sys
import threading
import time

from node_processes import Checks, Cluster, Resp, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
MB = 1 << 20
IN_FLIGHT = 64 * MB
IDLE, BUSY = 10_000, 1_000
SLOWER = 1.5  # the p99 of others may be so much longer,
NOISE = 0.0005  # and so many seconds,
ROUNDS = 12  # in one of these: what else runs on a machine makes a p99 longer, never shorter
FLOOR = 128 * 1024  # of each client, in buffers that double: limits.in_flight is beside it
checks = Checks()


def probe(port, seconds):
    """Sets and gets one key after the other; tells how long each took. A process of its own."""
    taken = []
    ends = time.monotonic() + seconds
    with Resp(port, 60) as client:
        number = 0
        while time.monotonic() < ends:
            for words in (('SET', 'probe:%d' % (number % 100), 'v'), ('GET', 'probe:1')):
                began = time.monotonic()
                client(*words)
                taken.append(time.monotonic() - began)
            number += 1
            time.sleep(0.0005)
    print(json.dumps(taken))


def p99(cluster, seconds=2.0):
    command = [sys.executable, os.path.abspath(__file__), '--probe', str(cluster.port('a'))]
    done = subprocess.run(command + [str(seconds)], stdout=subprocess.PIPE, check=True, timeout=90)
    taken = sorted(json.loads(done.stdout))
    return taken[len(taken) * 99 // 100]


def least(cluster, rounds=3, enough=0.0):
    """Of some rounds, or until one is short enough."""
    best = p99(cluster)
    for _ in range(rounds - 1):
        if best > enough:
            best = min(best, p99(cluster))
    return best


def beside(cluster, before):
    return least(cluster, ROUNDS, before * SLOWER + NOISE)


class Lone(Cluster):
    timing = 'hints: 200ms'


def node(limits=''):
    extra = ('engine: {type: memory, memory: 256mb}\nlimits: {in_flight: %d, clients: 12000%s}\n'
             % (IN_FLIGHT, limits))
    return Lone(BINARY, 'a', extra=extra)


def connections(cluster, count):
    made = []
    for _ in range(count):
        made.append(socket.create_connection(('127.0.0.1', cluster.port('a')), 10))
    return made


def connected(cluster):
    with cluster.resp('a', 30) as client:
        lines = client('INFO', 'clients').decode().split('\r\n')
    return int(dict(line.split(':', 1) for line in lines if ':' in line)['connected_clients'])


def compare(what, before, now, grown, bound):
    print('      %s: p99 %.2f ms, before %.2f ms; RSS +%.1f MB'
          % (what, now * 1e3, before * 1e3, grown / MB), flush=True)
    checks.that('%s: others are served as before' % what, now <= before * SLOWER + NOISE,
                (before, now))
    checks.that('%s: memory stays within %d MB' % (what, bound // MB), grown < bound, grown)


def idle_ones():
    with node() as cluster:
        cluster.start().wait_settled()
        before, quiet = least(cluster), cluster.resident_bytes('a')
        made = connections(cluster, IDLE)
        there = until(lambda: connected(cluster) > IDLE, 20)
        checks.that('%d idle clients are connected' % IDLE, there, connected(cluster))
        grown = cluster.resident_bytes('a') - quiet
        compare('%d idle' % IDLE, before, beside(cluster, before), grown, IDLE * 12_000)
        with Resp(cluster.port('a')) as last:
            checks.that('the last one is served', last('PING') == b'PONG')
        made[0].sendall(Resp.encode('PING'))
        checks.that('and the first one', made[0].recv(16) == b'+PONG\r\n')
        for one in made:
            one.close()
        checks.that('they go', until(lambda: connected(cluster) == 1, 20), connected(cluster))


def busy_ones():
    """Each waits for its reply before it asks again."""
    with node() as cluster:
        cluster.start().wait_settled()
        quiet = cluster.resident_bytes('a')
        made = connections(cluster, BUSY)
        poll = select.epoll()
        by_number = {one.fileno(): one for one in made}
        ending, served = threading.Event(), [0]
        request, reply = Resp.encode('SET', 'busy', 'v' * 100), b'+OK\r\n'

        def run():
            for one in made:
                poll.register(one, select.EPOLLIN)
                one.sendall(request)
            while not ending.is_set():
                for number, _ in poll.poll(0.1):
                    one = by_number[number]
                    if one.recv(64) != reply:
                        return
                    served[0] += 1
                    one.sendall(request)

        thread = threading.Thread(target=run)
        thread.start()
        until(lambda: served[0] > 20_000, 30)
        now = least(cluster)
        ending.set()
        thread.join()
        grown = cluster.resident_bytes('a') - quiet
        print('      %d busy: %d requests; p99 of another %.2f ms; RSS +%.1f MB'
              % (BUSY, served[0], now * 1e3, grown / MB), flush=True)
        checks.that('%d busy clients are all served' % BUSY, served[0] > 20_000, served[0])
        checks.that('others wait their turn', now < 0.25, now)
        checks.that('memory', grown < IN_FLIGHT, grown)
        for one in made:
            one.close()


def slow_readers():
    with node() as cluster:
        cluster.start().wait_settled()
        with cluster.resp('a') as client:
            client('SET', 'big', b'v' * 100_000)
        before, quiet = least(cluster), cluster.resident_bytes('a')
        made = connections(cluster, 200)
        ending = threading.Event()

        def run():
            for one in made:
                one.setblocking(False)
            while not ending.is_set():
                for one in made:
                    try:
                        one.send(Resp.encode('GET', 'big') * 10)
                    except BlockingIOError:
                        pass
                    try:
                        one.recv(1000)
                    except BlockingIOError:
                        pass
                time.sleep(0.1)

        thread = threading.Thread(target=run)
        thread.start()
        now = beside(cluster, before)
        grown = cluster.resident_bytes('a') - quiet
        ending.set()
        thread.join()
        compare('200 slow readers', before, now, grown, IN_FLIGHT * 115 // 100 + 200 * FLOOR)
        for one in made:
            one.close()


def announcing_ones():
    with node() as cluster:
        cluster.start().wait_settled()
        before, quiet = least(cluster), cluster.resident_bytes('a')
        made = connections(cluster, 500)
        for at, one in enumerate(made):
            one.sendall(b'*3\r\n$3\r\nSET\r\n$6\r\nk%05d\r\n$524288000\r\n' % at)
        claimed = beside(cluster, before)
        grown = cluster.resident_bytes('a') - quiet
        compare('500 that announce 500 MB', before, claimed, grown, IN_FLIGHT // 2)
        # Now they send some of it, as far as they are read.
        part = b'v' * 65536
        for one in made:
            one.setblocking(False)
        sent = 0
        for _ in range(20):
            for one in made:
                try:
                    sent += one.send(part)
                except BlockingIOError:
                    pass
        now = beside(cluster, before)
        grown = cluster.resident_bytes('a') - quiet
        print('      %d MB were taken by sockets and the node' % (sent // MB), flush=True)
        compare('and send of it', before, now, grown, IN_FLIGHT * 115 // 100 + 500 * FLOOR)
        for one in made:
            one.close()


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 16384)), hard))
    if min(hard, 16384) >= IDLE + 1000:
        checks.attempt('idle ones', idle_ones)
    for scenario in (busy_ones, slow_readers, announcing_ones):
        checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    return checks.summary()


if __name__ == '__main__':
    if '--probe' in sys.argv:
        probe(int(sys.argv[2]), float(sys.argv[3]))
        sys.exit(0)
    sys.exit(main())
