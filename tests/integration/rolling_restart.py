#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: judges how long clients waited
"""Three real processes under load, one stopped with SIGTERM, or all in turn: clients of the others
see no error. rolling_restart.py [path/to/kvorum]; ends with `N passed, N failed`."""
import collections
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

from node_processes import Checks, Cluster, RespError, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
PAUSES = (0, 0.3, 1)
DEPTHS = (1, 1, 24)  # requests that each client of a node sends before it reads
KEYS = 200
STOP_SECONDS_MAX = 5
checks = Checks()


class Client(threading.Thread):
    """GET, SET and INCR in turn at one node, `depth` at a time, until told to end."""

    def __init__(self, cluster, name, number, depth):
        super().__init__()
        self.cluster, self.name_of_node, self.number, self.depth = cluster, name, number, depth
        self.ending = threading.Event()
        self.requests, self.errors = 0, []
        self.counted = collections.Counter()  # acknowledged increments by counter
        self.open = collections.Counter()  # those of which no answer came

    def run(self):
        while not self.ending.is_set():
            try:
                with self.cluster.resp(self.name_of_node, 5) as client:
                    while not self.ending.is_set():
                        self.batch(client)
            except (OSError, RespError):
                time.sleep(0.01)  # the node stops, or is not there yet

    def batch(self, client):
        wanted = []
        for i in range(self.depth):
            place = self.requests + i
            key = (place * 7 + self.number * 31) % KEYS
            words = ('INCR', 'n%d' % key)
            if place % 3:
                words = ('GET', 'k%d' % key) if place % 3 == 1 else ('SET', 'k%d' % key, place)
            wanted.append(words)
        waiting = collections.deque(words for words in wanted)
        try:
            client.socket.sendall(b''.join(client.encode(*words) for words in wanted))
            while waiting:
                reply = client.read()
                self.note(waiting.popleft(), reply)
        finally:
            self.open.update(words[1] for words in waiting if words[0] == 'INCR')
        time.sleep(0.002)

    def note(self, words, reply):
        self.requests += 1
        if isinstance(reply, RespError):
            self.errors.append((time.monotonic(), words[0], str(reply)))
            if words[0] == 'INCR':
                self.open[words[1]] += 1
        elif words[0] == 'INCR':
            self.counted[words[1]] += 1


class Load:
    def __init__(self, cluster):
        self.clients = [
            Client(cluster, name, number * 3 + at, depth)
            for number, name in enumerate(cluster.names)
            for at, depth in enumerate(DEPTHS)
        ]
        for client in self.clients:
            client.start()
        checks.that('clients are served', until(lambda: self.requests() > 3000, 20))

    def requests(self, but=()):
        return sum(one.requests for one in self.clients if one.name_of_node not in but)

    def more(self, count, but=()):
        """Until the clients of the other nodes had so many more answers."""
        before = self.requests(but)
        until(lambda: self.requests(but) > before + count, 20)

    def end(self):
        for client in self.clients:
            client.ending.set()
        for client in self.clients:
            client.join(20)

    def errors(self, since, before, but=()):
        """(node, time, command, text) of those at the other nodes."""
        return [
            (one.name_of_node,) + error
            for one in self.clients
            if one.name_of_node not in but
            for error in one.errors
            if since <= error[0] <= before
        ]

    def total(self, kind):
        total = collections.Counter()
        for client in self.clients:
            total.update(getattr(client, kind))
        return total


def words_of(errors):
    """How many of which."""
    return dict(collections.Counter('%s %s' % (e[2], e[3].split()[0]) for e in errors))


def healthy(cluster, name, path='healthz'):
    url = 'http://%s/%s' % (cluster.address(name, 'admin'), path)
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


def is_back(cluster, name):
    """As a script of a rolling restart would ask."""
    return healthy(cluster, name) and cluster.is_settled(name)


class Step:
    """The time of one stop or start, and what clients saw in it."""

    def __init__(self, load, name, away=()):
        self.load, self.name, self.away = load, name, tuple(away)

    def __enter__(self):
        self.began, self.requests = time.monotonic(), self.load.requests(self.away)
        return self

    def __exit__(self, kind, *_):
        if kind:
            return
        errors = self.load.errors(self.began, time.monotonic(), self.away)
        served = self.load.requests(self.away) - self.requests
        print('%s: %d requests elsewhere, errors %s' % (self.name, served, words_of(errors)))
        checks.that('%s: no error at the others' % self.name, not errors, errors[:3])
        checks.that('%s: they were served' % self.name, served > 100, served)


def stop(cluster, name):
    began = time.monotonic()
    status = cluster.end(name)
    took = time.monotonic() - began
    checks.that('%s stops with status 0' % name, status == 0, (status, cluster.log(name)[-800:]))
    checks.that('%s within its bound' % name, took < STOP_SECONDS_MAX, took)


def counters_add_up(cluster, load):
    """Each acknowledged increment is there once; those without an answer may be."""
    counted, unknown = load.total('counted'), load.total('open')
    wrong = []
    with cluster.resp(cluster.names[0], 20) as client:
        for key in counted:
            value = client('GET', key)
            if isinstance(value, list):
                wrong.append((key, value))
            elif not counted[key] <= int(value) <= counted[key] + unknown[key]:
                wrong.append((key, counted[key], int(value), unknown[key]))
    checks.that('counters have what was acknowledged', not wrong, wrong[:4])


def one_stop(repeats=5):
    with Cluster(BINARY, 'abc') as cluster:
        cluster.start()
        checks.that('three nodes are settled', cluster.wait_settled())
        load = Load(cluster)
        for number in range(repeats):
            name = cluster.names[number % 3]
            with Step(load, 'stop of %s' % name, [name]):
                stop(cluster, name)
                load.more(1000, [name])
            with Step(load, 'return of %s' % name, [name]):
                cluster.start(name)
                checks.that('%s is back' % name, until(lambda: is_back(cluster, name), 20))
                load.more(1000, [name])
        load.end()
        counters_add_up(cluster, load)


def rolling(pause):
    with Cluster(BINARY, 'abc') as cluster:
        cluster.start()
        checks.that('three nodes are settled', cluster.wait_settled())
        load = Load(cluster)
        for turn, name in enumerate('bcabca'):
            following = 'bcabcab'[turn + 1]
            with Step(load, 'restart of %s, %.1f s' % (name, pause), [name, following]):
                stop(cluster, name)
                time.sleep(pause)
                cluster.start(name)
                checks.that('%s is back' % name, until(lambda: is_back(cluster, name), 20))
                time.sleep(pause)
            with Step(load, 'stop of %s at once' % following, [name, following]):
                stop(cluster, following)
                load.more(500, [name, following])
            with Step(load, 'its return', [name, following]):
                cluster.start(following)
                checks.that('it is back', until(lambda: is_back(cluster, following), 20))
        load.end()
        counters_add_up(cluster, load)


def answers_what_has_arrived():
    with Cluster(BINARY, 'abc') as cluster:
        cluster.start()
        cluster.wait_settled()
        with cluster.resp('a', 10) as client:
            count = 600
            client.socket.sendall(b''.join(client.encode('INCR', 'n%d' % i) for i in range(count)))
            first = client.read()
            stop(cluster, 'a')
            replies = [first]
            try:
                while True:
                    replies.append(client.read())
            except (RespError, OSError):
                pass
            wrong = [reply for reply in replies if reply != 1]
            checks.that('all that had arrived is answered', len(replies) == count, len(replies))
            checks.that('without an error', not wrong, wrong[:3])


def blocks_signals(process):
    with open('/proc/%d/status' % process.pid, encoding='ascii') as file:
        line = next(line for line in file if line.startswith('SigBlk'))
    blocked = int(line.split()[1], 16)
    # Whoever makes a thread blocks all signals for a moment.
    return blocked >> (signal.SIGTERM - 1) & 1 and not blocked >> (signal.SIGWINCH - 1) & 1


def stop_while_it_starts():
    with Cluster(BINARY, 'abc') as cluster:
        cluster.start()
        cluster.wait_settled()
        with cluster.resp('a') as client:
            for i in range(2000):
                client('SET', 'k%d' % i, i)
        for _ in range(5):
            stop(cluster, 'b')
            cluster.start('b')
            until(lambda: blocks_signals(cluster.processes['b']), 5)
            stop(cluster, 'b')
            cluster.start('b')
            checks.that('it starts again', until(lambda: is_back(cluster, 'b'), 20))
        unclean = cluster.log('b').count('not a clean one') - 1  # the first start had no data
        checks.that('each stop was a clean one', unclean == 0, unclean)


def client_that_never_reads(signals):
    with Cluster(BINARY, 'abc') as cluster:
        cluster.start()
        cluster.wait_settled()
        with cluster.resp('a') as client, cluster.resp('a') as silent:
            client('SET', 'big', os.urandom(1 << 20))
            silent.socket.sendall(client.encode('GET', 'big') * 40)
            checks.that('others are served', client('SET', 'k', 'v') == b'OK')
            began = time.monotonic()
            for _ in range(signals - 1):
                cluster.send('a', signal.SIGTERM)
            status = cluster.end('a')
            took = time.monotonic() - began
            checks.that('the stop ends', status in (0, -signal.SIGTERM), status)
            checks.that('within its bound', took < STOP_SECONDS_MAX, took)
        cluster.start('a')
        checks.that('it is back', until(lambda: is_back(cluster, 'a'), 20))
        with cluster.resp('a') as client:
            checks.that('with what was acknowledged', client('GET', 'k') == b'v')


def frozen_peer():
    with Cluster(BINARY, 'abc') as cluster:
        cluster.start()
        cluster.wait_settled()
        cluster.send('c', signal.SIGSTOP)
        try:
            with cluster.resp('a') as client:
                written = until(lambda: client('SET', 'k', 'v') == b'OK', 10)
                checks.that('a write succeeds', written)
                stop(cluster, 'a')
            cluster.start('a')
            back = until(lambda: healthy(cluster, 'a'), 10)
            checks.that('it takes requests again beside the frozen one', back)
            with cluster.resp('a') as client:
                checks.that('and has what was written', client('GET', 'k') == b'v')
        finally:
            cluster.send('c', signal.SIGCONT)
        checks.that('all are settled', cluster.wait_settled(seconds=30))


def line_of(cluster, asked, member):
    with cluster.resp(asked) as client:
        lines = client('KV.CLUSTER', 'STATUS').decode().splitlines()
    return next(line for line in lines if line.startswith('member_%s:' % member))


def killed_node_is_back_at_once():
    """Without a clean stop, too, the others dial a node that greeted them without waiting."""
    with Cluster(BINARY, 'abc') as cluster:
        cluster.start()
        cluster.wait_settled()
        cluster.end('b', signal.SIGKILL)
        away = until(lambda: 'no link for 3 s' in line_of(cluster, 'a', 'b'), 10)
        checks.that('the pauses between two attempts have grown', away)
        cluster.start('b')
        checks.that('it is ready', until(lambda: healthy(cluster, 'b'), 10))
        for name in 'ac':
            line = line_of(cluster, name, 'b')
            checks.that('%s holds it for up then' % name, ',state=up,' in line, line)


def main():
    checks.attempt('a stop under load', one_stop)
    for pause in PAUSES:
        checks.attempt('a rolling restart, %s s between the steps' % pause, rolling, pause)
    for scenario in (
        answers_what_has_arrived,
        stop_while_it_starts,
        frozen_peer,
        killed_node_is_back_at_once,
    ):
        checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    for signals in (1, 2):
        checks.attempt('a client that never reads', client_that_never_reads, signals)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
