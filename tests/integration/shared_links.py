#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: judges how long clients waited
"""Nodes whose reactors share their links to the other members (limits.peer_links): clients see
nothing of it, whatever dies, stops, joins or leaves, and there are no more links than may be.
shared_links.py [path/to/kvorum [scenario ...]]; ends with `N passed, N failed`."""
import itertools
import os
import signal
import sys
import threading
import time

from node_processes import Checks, Cluster, RespError, run, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
REACTORS = 4
CONNECTIONS = 6  # of the load, to each node: most reactors have some
ESTABLISHED = '01'
NUMBERS = itertools.count()  # of clients
checks = Checks()


class Shared(Cluster):
    """Nodes of several reactors that may dial so many links."""

    timing = 'hints: 200ms, anti_entropy: 1s, gossip: 200ms'

    def __init__(self, names, links, timeout='1s'):
        limits = '{peer_links: %d, request_timeout: %s}' % (links, timeout)
        extra = 'reactors: %d\nlimits: %s' % (REACTORS, limits)
        super().__init__(BINARY, names, extra)

    def links(self, name):
        """How many the node dialed, and accepted."""
        folder = '/proc/%d/fd' % self.processes[name].pid
        sockets = set()
        for number in os.listdir(folder):
            try:
                sockets.add(os.readlink(os.path.join(folder, number)))
            except OSError:
                pass  # closed meanwhile
        others = {ports['peer'] for other, ports in self.ports.items() if other != name}
        dialed = accepted = 0
        with open('/proc/net/tcp', encoding='ascii') as file:
            for line in file.readlines()[1:]:
                fields = line.split()
                if fields[3] != ESTABLISHED or 'socket:[%s]' % fields[9] not in sockets:
                    continue
                here, there = (int(fields[at].split(':')[1], 16) for at in (1, 2))
                dialed += there in others and here not in others
                accepted += here == self.port(name, 'peer')
        return dialed, accepted

    def have_links(self, names, dialed):
        """Each of the nodes dials so many, and so many come from the others."""
        wanted = {name: (dialed, dialed) for name in names}
        seen = {}

        def look():
            seen.update({name: self.links(name) for name in names})
            return seen == wanted

        checks.that('%s: %d links each way' % (names, dialed), until(look, 20), seen)

    def change(self, *words):
        done = run(BINARY, *words, '--yes', '--admin', self.address('a', 'admin'), seconds=60)
        name = ' '.join(words)
        checks.that('%s: exit status 0' % name, done.returncode == 0, done.stdout + done.stderr)

    def join(self, name):
        self.reserve(name)
        self.start_added(name)
        waits = until(lambda: self.states('a').get(name) == 'waiting', 10)
        checks.that('%s waits' % name, waits, self.states('a'))
        self.change('join', name)


class Client(threading.Thread):
    """Writes, counts and reads at one node until told to end; keeps what was acknowledged."""

    def __init__(self, cluster, name, counts):
        super().__init__()
        self.cluster, self.name_of_node, self.counts = cluster, name, counts
        self.prefix = '%s%d:' % (name, next(NUMBERS))
        self.ending = False
        self.written, self.counted, self.errors, self.requests = {}, 0, [], 0
        self.slowest = 0.0

    def run(self):
        with self.cluster.resp(self.name_of_node, 10) as client:
            while not self.ending:
                self.requests += 1
                key, value = '%s%d' % (self.prefix, self.requests % 100), self.requests
                self.note(key, self.ask(client, 'SET', key, value) == b'OK')
                self.written[key] = b'%d' % value
                self.note(key, self.ask(client, 'GET', key) == b'%d' % value)
                if self.counts:
                    self.counted += 1
                    count = self.ask(client, 'INCR', self.prefix + 'count')
                    self.note('count', count == self.counted)

    def ask(self, client, *words):
        began = time.monotonic()
        self.reply = client(*words)
        self.slowest = max(self.slowest, time.monotonic() - began)
        return self.reply

    def note(self, what, is_fine):
        if not is_fine:
            self.errors.append((self.prefix, what, self.requests, str(self.reply)))


class Load:
    def __init__(self, cluster, names, counts=True):
        self.cluster = cluster
        self.clients = [
            Client(cluster, name, counts)
            for name in names
            for _ in range(CONNECTIONS)
        ]
        for client in self.clients:
            client.start()
        self.more()

    def more(self, count=600):
        before = self.requests()
        grew = until(lambda: self.requests() > before + count, 20)
        checks.that('clients are served', grew, self.requests() - before)

    def requests(self):
        return sum(client.requests for client in self.clients)

    def judge(self, *names):
        for client in self.clients:
            client.ending = True
        for client in self.clients:
            client.join()
        errors = [error for client in self.clients for error in client.errors]
        checks.that('no client saw an error or something old', not errors, errors[:4])
        slowest = max(client.slowest for client in self.clients)
        checks.that('none waited beyond its deadline', slowest < 1.5, slowest)
        expected = {}
        for client in self.clients:
            expected.update(client.written)
            if client.counts:
                expected[client.prefix + 'count'] = b'%d' % client.counted
        for name in names:
            with self.cluster.resp(name, 10) as reader:
                keys = list(expected)
                values = reader('MGET', *keys)
            wrong = [
                (key, expected[key], value)
                for key, value in zip(keys, values)
                if expected[key] != value
            ]
            checks.that('all of %d is read at %s' % (len(expected), name), not wrong, wrong[:4])


def each_reactor_asks():
    with Shared('abc', links=1, timeout='10s') as cluster:  # for the large values
        cluster.start()
        checks.that('three nodes settle', cluster.wait_settled())
        cluster.have_links('abc', 2)
        Load(cluster, 'abc').judge('a', 'b', 'c')
        large_values(cluster)
        keyspace_commands(cluster)
        ready = [cluster.is_settled(name) for name in 'abc']
        checks.that('all settled still', all(ready), ready)
        codes = [cluster.end(name) for name in 'abc']
        checks.that('all end with status 0', codes == [0, 0, 0], codes)


def large_values(cluster):
    value = os.urandom(1 << 20) * 8
    wrong = []

    def write_and_read(number, name, other):
        try:
            with cluster.resp(name, 30) as one, cluster.resp(other, 30) as two:
                reply = one('SET', 'big%d' % number, value)
                if reply != b'OK':
                    wrong.append((number, 'SET', str(reply)))
                reply = two('GET', 'big%d' % number)
                if reply != value:
                    wrong.append((number, 'GET', str(reply)[:100]))
        except (OSError, RespError) as error:
            wrong.append((number, error))

    places = [('a', 'b'), ('b', 'c'), ('c', 'a'), ('a', 'c'), ('b', 'a'), ('c', 'b')]
    for together in (places, places):
        threads = [
            threading.Thread(target=write_and_read, args=(number, name, other))
            for number, (name, other) in enumerate(together)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    checks.that('values of 8 MB through any node and back', not wrong, wrong[:4])


def keyspace_commands(cluster):
    """What asks all members, through whichever reactor."""
    clients = [cluster.resp(name, 10) for name in 'abc' for _ in range(REACTORS)]
    sizes = {client('DBSIZE') for client in clients}
    checks.that('DBSIZE is the same everywhere', len(sizes) == 1, sizes)
    found = []
    for client in clients:
        cursor, keys = b'0', set()
        while True:
            cursor, part = client('SCAN', cursor, 'COUNT', 500)
            keys.update(part)
            if cursor == b'0':
                break
        found.append(len(keys))
    checks.that('so is what SCAN shows', set(found) == sizes, (found, sizes))
    replies = [client('FLUSHALL') for client in clients[:2]]
    checks.that('FLUSHALL', replies == [b'OK', b'OK'], replies)
    sizes = {client('DBSIZE') for client in clients}
    checks.that('nothing is left', sizes == {0}, sizes)
    for client in clients:
        client.__exit__()


def a_node_dies():
    with Shared('abc', links=1) as cluster:
        cluster.start().wait_settled()
        load = Load(cluster, 'ab', counts=False)
        cluster.end('c', signal.SIGKILL)
        down = until(lambda: cluster.states('a').get('c') == 'down', 10)
        checks.that('the others see it down', down, cluster.states('a'))
        load.more()
        cluster.start('c')
        checks.that('it comes back', cluster.wait_settled())
        load.more()
        load.judge('a', 'b', 'c')
        cluster.have_links('abc', 2)


def a_node_stands_still():
    with Shared('abc', links=1) as cluster:
        cluster.start().wait_settled()
        load = Load(cluster, 'ab', counts=False)
        cluster.send('c', signal.SIGSTOP)
        lost = cluster.wait_log('a', 'c at .*the link is lost: it has been silent', 8)
        checks.that('it is noticed, and said', lost, cluster.log('a'))
        cluster.send('c', signal.SIGCONT)
        checks.that('it is back once it runs', cluster.wait_settled())
        load.more()
        load.judge('a', 'b', 'c')


def nodes_stop_in_turn():
    with Shared('abc', links=1) as cluster:
        cluster.start().wait_settled()
        for name in 'cba':
            others = 'abc'.replace(name, '')
            load = Load(cluster, others)
            began = time.monotonic()
            checks.that('%s stops with status 0' % name, cluster.end(name) == 0, cluster.log(name))
            took = time.monotonic() - began
            checks.that('before what it waits for at most', took < 2, took)
            load.more()
            cluster.start(name)
            checks.that('%s is back' % name, cluster.wait_settled())
            load.more()
            load.judge(*'abc')
        cluster.have_links('abc', 2)


def the_bound_is_crossed():
    """With 4 reactors and 6 links: 3 reactors dial each of two peers, 2 each of three, then 1."""
    with Shared('abc', links=6) as cluster:
        cluster.start().wait_settled()
        cluster.have_links('abc', 6)
        load = Load(cluster, 'abc')
        cluster.join('d')
        cluster.have_links('abcd', 6)
        cluster.join('e')
        cluster.have_links('abcde', 4)
        load.more()
        settled = cluster.wait_settled('a', 'b', 'c', 'd', 'e', seconds=40)
        checks.that('five nodes settle', settled)
        for name, others, links in (('e', 'abcd', 6), ('d', 'abc', 6)):
            cluster.change('leave', name)
            gone = until(lambda who=name: who not in cluster.states('a'), 20)
            checks.that('%s is gone' % name, gone, cluster.states('a'))
            checks.that('it ends with status 0', cluster.end(name) == 0)
            cluster.have_links(others, links)
        load.more()
        load.judge('a', 'b', 'c')
        checks.that('settled', cluster.wait_settled('a', 'b', 'c'))


def main():
    chosen = sys.argv[2:]
    for scenario in (
        each_reactor_asks,
        a_node_dies,
        a_node_stands_still,
        nodes_stop_in_turn,
        the_bound_is_crossed,
    ):
        if not chosen or scenario.__name__ in chosen:
            checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
