#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# alone: judges how long clients waited
"""Three nodes as processes: garbage on every port, greetings that must be refused, nodes that die,
stop answering and come back. clusters.py [path/to/kvorum]; ends with `N passed, N failed`."""
import json
import os
import random
import signal
import socket
import struct
import sys
import threading
import time
import urllib.request

from node_processes import KINDS, Checks, Cluster, RespError, run, until

BINARY = sys.argv[1] if len(sys.argv) > 1 else 'build/release/kvorum'
checks = Checks()


class Writer(threading.Thread):
    """Writes numbered keys at a node until told to end; keeps what was acknowledged."""

    def __init__(self, cluster, name, prefix):
        super().__init__()
        self.cluster, self.name, self.prefix = cluster, name, prefix
        self.acknowledged, self.refused, self.slowest = [], [], 0.0
        self.ending = False
        self.start()

    def run(self):
        with self.cluster.resp(self.name, 10) as client:
            i = 0
            while not self.ending:
                began = time.monotonic()
                reply = client('SET', '%s%d' % (self.prefix, i), i)
                self.slowest = max(self.slowest, time.monotonic() - began)
                (self.acknowledged if reply == b'OK' else self.refused).append((i, reply))
                i += 1

    def finish(self):
        self.ending = True
        self.join()
        return self

    def missing_at(self, name):
        with self.cluster.resp(name, 10) as client:
            numbers = [i for i, _ in self.acknowledged]
            lost = []
            for at in range(0, len(numbers), 200):
                part = numbers[at : at + 200]
                values = client('MGET', *['%s%d' % (self.prefix, i) for i in part])
                lost += [i for i, value in zip(part, values) if value != b'%d' % i]
            return lost


def closes(connection, seconds):
    """Whether the other side ends the connection in time."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
        return True
    except socket.timeout:
        return False
    except OSError:
        return True


def garbage_on_every_port():
    # 8 MB values to three nodes of a busy machine take their time.
    with Cluster(BINARY, 'abc', 'limits: {request_timeout: 10s}') as cluster:
        cluster.start()
        checks.that('three nodes settle', cluster.wait_settled())
        writer = Writer(cluster, 'a', 'g')
        rng = random.Random(7)
        ended = 0
        for _ in range(10):
            for kind in KINDS:
                with socket.create_connection(('127.0.0.1', cluster.port('b', kind)), 5) as sender:
                    try:
                        sender.sendall(rng.randbytes(5000) + b'\r\n\r\n')
                        sender.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass  # it closed before all was sent: fine
                    ended += closes(sender, 5)
        checks.that('every connection with garbage is ended', ended == 40, ended)
        until(lambda: len(writer.acknowledged) > 300, 10)
        writer.finish()
        checks.that(
            'writes went on',
            len(writer.acknowledged) > 300 and not writer.refused,
            writer.refused[:3],
        )
        checks.that('none is lost', writer.missing_at('b') == [])
        checks.that('all settled still', cluster.wait_settled(seconds=1))
        warnings = cluster.log('b').count('it sent')
        checks.that('garbage is logged at a bounded rate', 1 <= warnings <= 4, cluster.log('b'))
        large_values(cluster)
        half_open(cluster)
        codes = [cluster.end(name) for name in 'abc']
        checks.that('all end with status 0', codes == [0, 0, 0], codes)


def large_values(cluster):
    value = os.urandom(1 << 20) * 8
    with cluster.resp('a', 20) as one, cluster.resp('c', 20) as other:
        replies = [one('SET', 'big%d' % i, value) for i in range(6)]
        checks.that('8 MB values through any node', replies == [b'OK'] * 6, replies)
        checks.that(
            'and back from another', all(other('GET', 'big%d' % i) == value for i in range(6))
        )


def half_open(cluster):
    frames = {
        'a frame of 4 GiB': struct.pack('<II', 0xFFFFFFFF, 0) + b'x' * 100,
        'a frame of 100 MB before the greeting': struct.pack('<II', 100 << 20, 0) + b'x' * 100,
        'an empty frame': struct.pack('<I', 0) * 8,
    }
    for name, start in frames.items():
        with socket.create_connection(('127.0.0.1', cluster.port('a', 'peer')), 5) as sender:
            sender.sendall(start)
            checks.that('%s ends the connection' % name, closes(sender, 3))
    with socket.create_connection(('127.0.0.1', cluster.port('a', 'peer')), 5) as silent:
        began = time.monotonic()
        ended = closes(silent, 9)
        took = time.monotonic() - began
        checks.that('a connection that does not greet is ended after 3 s', ended and took > 2, took)


def greetings_refused():
    with Cluster(BINARY, 'abc', cluster='name: one\n  secret: s1\n  partitions: 16') as cluster:
        name = cluster.write_config('name.yaml', '', 'name: two\n  secret: s1\n  partitions: 16')
        secret = cluster.write_config(
            'secret.yaml', '', 'name: one\n  secret: s2\n  partitions: 16'
        )
        cluster.start('a').start('b', config=name).start('c', config=secret)
        said = cluster.wait_log('a', "b at .*cluster 'two'.*cluster.name")
        checks.that('a wrong cluster name is named, with the remedy', said, cluster.log('a'))
        said = cluster.wait_log('b', "belongs to cluster 'one'")
        checks.that('on both sides', said, cluster.log('b'))
        said = cluster.wait_log('a', 'c at .*cluster.secret differs')
        checks.that('a wrong secret is named, with the remedy', said, cluster.log('a'))
        with cluster.resp('a') as client:
            alone = until(lambda: client('SET', 'k', 'v') == b'OK', 10)
            checks.that('who reaches strangers only soon writes alone', alone)
            served = client('KV.LASTOP')
            replicas = served[served.index(b'replicas') + 1]
            checks.that('strangers hold no copies', replicas == 1, served)
        time_to_repeat = until(lambda: cluster.log('a').count("'two'") > 4, 2)
        checks.that('the same trouble is not logged again and again', not time_to_repeat)
        codes = [cluster.end(one) for one in 'abc']
        checks.that('all end with status 0', codes == [0, 0, 0], codes)


def wrong_address():
    with Cluster(BINARY, 'abc') as cluster:
        b, c = cluster.ports['b'], cluster.ports['c']
        b['peer'], c['peer'] = c['peer'], b['peer']
        swapped = cluster.write_config('swapped.yaml', '', 'name: test\n  partitions: 16')
        b['peer'], c['peer'] = c['peer'], b['peer']
        cluster.start('b', 'c').start('a', config=swapped)
        said = cluster.wait_log('a', 'check the peer addresses|same cluster section')
        checks.that('another founding is refused with the remedy', said, cluster.log('a'))


def node_killed():
    with Cluster(BINARY, 'abc') as cluster:
        cluster.start().wait_settled()
        writer = Writer(cluster, 'a', 'k')
        until(lambda: len(writer.acknowledged) > 300, 10)
        cluster.end('b', signal.SIGKILL)
        down = until(lambda: 'down' in state_of(cluster, 'a', 'b'), 5)
        checks.that('the others see it down', down, state_of(cluster, 'a', 'b'))
        before = len(writer.acknowledged)
        until(lambda: len(writer.acknowledged) > before + 300, 10)
        cluster.start('b')
        checks.that('it comes back', cluster.wait_settled())
        writer.finish()
        checks.that('no write was refused', not writer.refused, writer.refused[:3])
        checks.that('none waited beyond its deadline', writer.slowest < 1.5, writer.slowest)
        lost = writer.missing_at('b')
        checks.that(
            'the node that was away has all of %d' % len(writer.acknowledged), not lost, lost[:5]
        )


def state_of(cluster, asked, member):
    done = run(BINARY, 'status', '--admin', '127.0.0.1:%d' % cluster.port(asked, 'admin'))
    lines = [line for line in done.stdout.splitlines() if line.startswith(member + ' ')]
    return lines[0] if lines else done.stdout + done.stderr


def node_frozen():
    with Cluster(BINARY, 'abc') as cluster:
        cluster.start().wait_settled()
        writer = Writer(cluster, 'a', 'f')
        until(lambda: len(writer.acknowledged) > 100, 10)
        cluster.send('c', signal.SIGSTOP)
        noticed = cluster.wait_log('a', 'c at .*the link is lost: it has been silent', 8)
        checks.that('a frozen node is noticed', noticed, cluster.log('a'))
        cluster.send('c', signal.SIGCONT)
        checks.that('it is back once it runs', cluster.wait_settled())
        writer.finish()
        checks.that('writes went on meanwhile', not writer.refused, writer.refused[:3])
        checks.that('none waited beyond its deadline', writer.slowest < 1.5, writer.slowest)
        lost = writer.missing_at('c')
        checks.that('all of %d are there' % len(writer.acknowledged), not lost, lost[:5])


def first_primary(cluster, key):
    url = 'http://%s/api/v1/ring?key=%s' % (cluster.address('a', 'admin'), key)
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)['primaries'][0]


def woken_coordinator():
    """Requests that wait at a frozen node are given to another one after a quarter of their time;
    when it wakes it must not put them on top of what was acknowledged since."""
    with Cluster(BINARY, 'abc') as cluster:
        cluster.start().wait_settled()
        keys = ['late%d' % i for i in range(60)]
        keys = [key for key in keys if first_primary(cluster, key) == 'c']
        clients = [cluster.resp('a') for _ in keys]
        cluster.send('c', signal.SIGSTOP)
        replies = []
        for value in ('old', 'new'):
            for key, client in zip(keys, clients):
                client.socket.sendall(client.encode('SET', key, value))
            replies += [client.read() for client in clients]
        cluster.send('c', signal.SIGCONT)
        acknowledged = set(replies) == {b'OK'} and len(keys) > 5
        checks.that('writes go on while their coordinator is frozen', acknowledged, replies)
        with cluster.resp('b') as reader:
            wrong = until(lambda: reader('MGET', *keys) != [b'new'] * len(keys), 1.5)
            checks.that('it undoes none when it wakes', not wrong, reader('MGET', *keys))


def all_killed():
    with Cluster(BINARY, 'abc') as cluster:
        cluster.start().wait_settled()
        writer = Writer(cluster, 'a', 'x')
        until(lambda: len(writer.acknowledged) > 1000, 10)
        acknowledged = list(writer.acknowledged)
        writer.finish()
        for name in 'abc':
            cluster.end(name, signal.SIGKILL)
        cluster.start()
        checks.that('all killed at once come back', cluster.wait_settled())
        writer.acknowledged = acknowledged
        lost = writer.missing_at('b')
        checks.that('nothing of %d is lost' % len(acknowledged), not lost, lost[:5])


def main():
    for scenario in (
        garbage_on_every_port,
        greetings_refused,
        wrong_address,
        node_killed,
        node_frozen,
        woken_coordinator,
        all_killed,
    ):
        checks.attempt(scenario.__name__.replace('_', ' '), scenario)
    return checks.summary()


if __name__ == '__main__':
    sys.exit(main())
