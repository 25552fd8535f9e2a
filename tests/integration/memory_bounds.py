#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What clients can make a node hold: pipelines of large replies that are read late, slowly or never
stay within limits.in_flight, and what was held is given back. memory_bounds.py [path/to/kvorum];
ends with `N passed, N failed`. A node that grows over 3 GB is killed, so that it fails alone."""
# alone: how long others wait, and what the machine gives back, is measured
import math
import select
import socket
import sys
import threading
import time

from node_processes import Checks, Cluster, Resp, RespError, run, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
checks = Checks()

IN_FLIGHT = 256 << 20
GIVEN_BACK = 48 << 20  # so much above the quiet value is what an allocator keeps
KILLED_ABOVE = 3 << 30
VALUE = b'v' * 100_000
MEMORY = 'engine: {type: memory, memory: 1gb}'


class Watch(threading.Thread):
    """The highest resident sizes of the nodes while it runs."""

    def __init__(self, cluster, names):
        super().__init__()
        self.cluster, self.names = cluster, names
        self.quiet = {name: cluster.resident_bytes(name) for name in names}
        self.highest = dict(self.quiet)
        self.killed = []
        self.ending = threading.Event()
        self.start()

    def run(self):
        while not self.ending.wait(0.02):
            for name in self.names:
                try:
                    now = self.cluster.resident_bytes(name)
                except (OSError, ValueError):
                    continue
                self.highest[name] = max(self.highest[name], now)
                if now > KILLED_ABOVE and name not in self.killed:
                    self.killed.append(name)
                    self.cluster.processes[name].kill()

    def growth(self):
        return max(self.highest[name] - self.quiet[name] for name in self.names)

    def finish(self):
        self.ending.set()
        self.join()

    def left_over(self):
        return max(self.cluster.resident_bytes(name) - self.quiet[name] for name in self.names)


def judge(what, watch):
    """The bound while they were there, and what is left once they are gone."""
    watch.finish()
    growth = watch.growth()
    checks.that('%s: memory stays within in_flight (+%d MB)' % (what, growth >> 20),
                growth <= BOUND and not watch.killed, growth)
    if watch.killed:
        return
    fell = until(lambda: watch.left_over() < GIVEN_BACK, 20)
    checks.that('%s: it is given back (+%d MB)' % (what, watch.left_over() >> 20), fell)


def stores(cluster, *pairs):
    with cluster.resp('a', 10) as client:
        for key, value in pairs:
            assert client('SET', key, value) == b'OK'


def slowness():
    """How many times longer than usual this machine takes to give a process memory: the gigabytes
    that these clients ask for move at its pace."""
    began = time.monotonic()
    filled = b'x' * (128 << 20)
    took = time.monotonic() - began
    return max(1.0, took / 0.1) if filled else 1.0


SLOWNESS = slowness()
# Resident: a buffer that grows is there twice for a moment, and jemalloc keeps what one reactor
# freed for its 3 s, which another one does not take. Without a bound it would be gigabytes.
BOUND = IN_FLIGHT * 140 // 100
# Where memory costs more than usual, operations wait longer, and give back later what they held.
PATIENT = MEMORY + '\nlimits: {request_timeout: %ds}' % math.ceil(SLOWNESS)


def send_all(connection, data, seconds):
    """Writes without reading. False where the other side stopped taking bytes for good."""
    seconds *= SLOWNESS
    connection.setblocking(False)
    view, at, deadline = memoryview(data), 0, time.monotonic() + seconds
    while at < len(data):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([], [connection], [], left)[1]:
            return False
        at += connection.send(view[at : at + 65536])
    connection.setblocking(True)
    return True


def read_exactly(connection, wanted, seconds):
    """Counts and compares: `wanted` is one reply, which comes `times` times."""
    reply, times = wanted
    connection.settimeout(seconds * SLOWNESS)
    left, buffer = len(reply) * times, bytearray(1 << 20)
    at = 0  # within the reply
    doubled = memoryview(reply * (len(buffer) // len(reply) + 2))
    try:
        while left > 0:
            got = connection.recv_into(buffer, min(left, len(buffer)))
            if got == 0:
                return False
            if memoryview(buffer)[:got] != doubled[at : at + got]:
                odd = next(i for i in range(got) if buffer[i] != doubled[at + i])
                return bytes(buffer[odd : odd + 80])
            at = (at + got) % len(reply)
            left -= got
    except OSError:
        return False
    return True


def bulk(value):
    return b'$%d\r\n%s\r\n' % (len(value), value)


def in_threads(count, function):
    results = [None] * count

    def call(i):
        try:
            results[i] = function(i)
        except OSError as error:
            results[i] = error

    threads = [threading.Thread(target=call, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def clients_that_do_not_read():
    with Cluster(BINARY, 'abc', PATIENT) as cluster:
        cluster.start().wait_settled()
        stores(cluster, ('big', VALUE), ('small', 'v'))
        watch = Watch(cluster, 'abc')
        requests = Resp.encode('GET', 'big') * 400
        deaf = [socket.create_connection(('127.0.0.1', cluster.port('a')), 5) for _ in range(50)]
        slowest = 0.0
        with cluster.resp('a', 30) as other:
            for connection in deaf:
                send_all(connection, requests, 2)
            ends = time.monotonic() + 3
            while time.monotonic() < ends:
                began = time.monotonic()
                other('GET', 'small')
                slowest = max(slowest, time.monotonic() - began)
                time.sleep(0.005)
        limit = 0.5 * SLOWNESS
        checks.that('others are served meanwhile (%.0f ms of %.0f)' % (slowest * 1e3, limit * 1e3),
                    slowest < limit)
        for connection in deaf:
            connection.close()
        judge('50 clients that do not read', watch)


def clients_that_read():
    with Cluster(BINARY, 'abc', PATIENT) as cluster:
        cluster.start().wait_settled()
        stores(cluster, ('big', VALUE))
        watch = Watch(cluster, 'abc')
        requests = Resp.encode('GET', 'big') * 4096

        def ask(_):
            with socket.create_connection(('127.0.0.1', cluster.port('a')), 5) as connection:
                sent = send_all(connection, requests, 20)
                return sent and read_exactly(connection, (bulk(VALUE), 4096), 30)

        right = in_threads(10, ask)
        checks.that('10 x 4096 GETs of 100 KB are answered', right == [True] * 10, right)
        judge('10 x 4096 GETs of 100 KB', watch)


def writes_all_before_reading(dialect, request, reply, what):
    with Cluster(BINARY, 'abc', PATIENT) as cluster:
        cluster.start().wait_settled()
        stores(cluster, ('big', VALUE), ('k' * 1400, 'v'))
        watch = Watch(cluster, 'abc')
        times = 10_000

        def ask(_):
            port = cluster.port('b', dialect)
            with socket.create_connection(('127.0.0.1', port), 5) as connection:
                if not send_all(connection, request * times, 30):
                    return 'not sent'
                return read_exactly(connection, (reply, times), 30)

        right = in_threads(8, ask)
        checks.that('8 x 10 000 %s are all answered' % what, right == [True] * 8, right)
        judge(what, watch)


def one_command_of_many_values():
    with Cluster(BINARY, 'abc', MEMORY) as cluster:
        cluster.start().wait_settled()
        stores(cluster, ('big', VALUE))
        watch = Watch(cluster, 'abc')
        with cluster.resp('a', 30) as client:
            got = client('MGET', *['big'] * 500)
            checks.that('an MGET of 50 MB', got == [VALUE] * 500)
            got = client('MGET', *['big'] * 8000)
            checks.that('one of 800 MB is refused', isinstance(got, RespError), got)
            checks.that('with a reason', 'in_flight' in str(got), got)
            checks.that('the client goes on', client('GET', 'big') == VALUE)
        judge('MGET of more than the limit', watch)


def is_closed(connection):
    connection.settimeout(0.05)
    try:
        while connection.recv(1 << 20):
            pass
        return True
    except socket.timeout:
        return False
    except OSError:
        return True


def stuck_clients_are_closed():
    limits = 'limits: {in_flight: 64mb, client_output_wait: 1s}\n'
    with Cluster(BINARY, 'a', limits + MEMORY) as cluster:
        cluster.start().wait_settled()
        stores(cluster, ('big', VALUE))
        requests = Resp.encode('GET', 'big') * 1000
        with cluster.resp('a', 10) as other:
            stuck = [socket.create_connection(('127.0.0.1', cluster.port('a'))) for _ in range(5)]
            for connection in stuck:
                send_all(connection, requests, 2)
            closed = until(lambda: b'client_output_closed:5\r\n' in other('INFO', 'clients'), 20)
            checks.that('clients that take no reply are closed', closed, other('INFO', 'clients'))
            checks.that('they notice', all(until(lambda c=c: is_closed(c), 5) for c in stuck))
            checks.that('others stay', other('GET', 'big') == VALUE)
            said = other('CONFIG', 'GET', 'client-output-buffer-limit')
            checks.that('CONFIG GET client-output-buffer-limit',
                        said[1].startswith(b'normal 0 1048576 1 '), said)
        log = cluster.log('a')
        told = log.count('takes no replies')
        checks.that('it is logged with an address, once for all', told == 1 and '127.0.0.1:' in log,
                    log)
        with cluster.resp('a', 30) as slow:
            # Slow is not stuck: it takes some bytes a second.
            slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            slow.socket.sendall(Resp.encode('GET', 'big') * 200)
            right = 0
            for at in range(200):
                right += slow.read() == VALUE
                if at % 50 == 0:
                    time.sleep(0.6)
            checks.that('a slow client gets all', right == 200, right)


def holders_are_shown():
    with Cluster(BINARY, 'a', 'reactors: 1\n' + MEMORY) as cluster:
        cluster.start().wait_settled()
        stores(cluster, ('big', VALUE))
        with cluster.resp('a', 10) as other, cluster.resp('a', 10) as deaf:
            deaf('CLIENT', 'SETNAME', 'deaf')
            deaf.socket.sendall(Resp.encode('GET', 'big') * 400)

            def facts():
                lines = other('INFO', 'everything').decode().split('\r\n')
                return dict(line.split(':', 1) for line in lines if ':' in line)

            shown = until(lambda: int(facts()['in_flight_bytes']) > 10 << 20, 10)
            checks.that('INFO shows what is in flight', shown, facts()['in_flight_bytes'])
            lines = other('CLIENT', 'LIST').decode().splitlines()
            line = [each for each in lines if ' name=deaf ' in each][0]
            fields = dict(field.split('=', 1) for field in line.split(' '))
            checks.that('CLIENT LIST omem', int(fields['omem']) > 10 << 20, line)
            checks.that('CLIENT LIST tot-mem', int(fields['tot-mem']) >= int(fields['omem']), line)
            checks.that('CLIENT LIST qbuf', int(fields['qbuf']) > 0, line)
            for name in ('client_recent_max_output_buffer', 'mem_clients_normal'):
                shown = until(lambda n=name: int(facts()[n]) > 10 << 20, 5)
                checks.that('INFO has ' + name, shown, facts()[name])
            admin = cluster.address('a', 'admin')

            def status():
                return run(BINARY, 'status', '--admin', admin).stdout

            named = until(lambda: fields['addr'] in status(), 5)
            checks.that('kvorum status names the largest holder', named, status())


LATE_READERS = (
    ('redis', Resp.encode('GETRANGE', 'big', 0, 19_999), bulk(VALUE[:20_000]), 'GETRANGE of 20 KB'),
    ('redis', Resp.encode('EXISTS', 'k' * 1400), b':1\r\n', 'EXISTS of a 1.4 KB key'),
    ('memcached', b'get absent\r\n', b'END\r\n', 'memcached get'),
)


def main():
    checks.attempt('clients that do not read', clients_that_do_not_read)
    checks.attempt('clients that read', clients_that_read)
    for late_reader in LATE_READERS:
        checks.attempt(late_reader[-1], writes_all_before_reading, *late_reader)
    checks.attempt('one command', one_command_of_many_values)
    checks.attempt('stuck clients', stuck_clients_are_closed)
    checks.attempt('holders', holders_are_shown)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
